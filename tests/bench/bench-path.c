/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <err.h>
#include <netinet/in.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench-util.h"

#define FRAME_SIZE  50  /* of the texts that the bench sends */
#define RECORD_SIZE 800 /* of what Received carries */

/* The files have no names any more, so that nothing is left behind. */
static sqlite3_stmt *open_store(const char *path, sqlite3 **ret) {
        static const char *const endings[] = {"", "-wal", "-shm"};
        sqlite3_stmt *insert;

        if (sqlite3_open(path, ret) != SQLITE_OK ||
            sqlite3_exec(*ret,
                         "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                         "CREATE TABLE message (id INTEGER PRIMARY KEY, text TEXT)",
                         NULL, NULL, NULL) != SQLITE_OK ||
            sqlite3_prepare_v2(*ret, "INSERT INTO message (text) VALUES (?)", -1, &insert, NULL) != SQLITE_OK)
                errx(1, "%s: %s", path, sqlite3_errmsg(*ret));
        for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
                char name[512];

                snprintf(name, sizeof(name), "%s%s", path, endings[i]);
                (void) unlink(name);
        }
        return insert;
}

static void serve_path(int fd, const char *path) {
        sqlite3 *db;
        sqlite3_stmt *insert = open_store(path, &db);
        sd_bus *bus = bench_open_bus();
        char frame[FRAME_SIZE], record[RECORD_SIZE + 1] = {};
        uint64_t sent_at;

        memset(record, 'x', RECORD_SIZE);
        while (recv(fd, frame, sizeof(frame), MSG_WAITALL) == sizeof(frame)) {
                memcpy(&sent_at, frame, sizeof(sent_at));
                sqlite3_bind_text(insert, 1, "message number 1 of the bench", -1, SQLITE_STATIC);
                if (sqlite3_step(insert) != SQLITE_DONE)
                        errx(1, "insert: %s", sqlite3_errmsg(db));
                sqlite3_reset(insert);
                if (sd_bus_emit_signal(bus, BENCH_FLOOR_PATH, BENCH_FLOOR_INTERFACE, "Path", "ts", sent_at,
                                       record) < 0)
                        errx(1, "cannot emit");
                sd_bus_flush(bus);
        }
        errx(1, "the bench is gone");
}

void bench_path_start(BenchPath *path, const char *database) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof(address);
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (listener < 0 || bind(listener, (struct sockaddr *) &address, size) < 0 ||
            listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *) &address, &size) < 0)
                err(1, "listen");
        path->pid = fork();
        if (path->pid < 0)
                err(1, "fork");
        if (path->pid == 0) {
                int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (fd < 0 || connect(fd, (struct sockaddr *) &address, size) < 0)
                        err(1, "connect");
                serve_path(fd, database);
                _exit(0);
        }
        path->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (path->fd < 0)
                err(1, "accept");
        close(listener);
}

void bench_path_send(BenchPath *path) {
        char frame[FRAME_SIZE] = {};
        uint64_t now = bench_now();

        memcpy(frame, &now, sizeof(now));
        if (write(path->fd, frame, sizeof(frame)) != sizeof(frame))
                err(1, "write");
}

void bench_path_stop(BenchPath *path) {
        close(path->fd);
        kill(path->pid, SIGTERM);
        waitpid(path->pid, NULL, 0);
}
