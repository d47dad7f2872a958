/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Preloaded into the daemon by plan.py: every system call by which it reaches its state directory, a radio
 * over TCP or the bus is a place where a fault can happen. They are counted as they come, and the one with
 * the number that the plan names meets the fault. What is done to the state directory is written down, so
 * that the plan can make the disk that a power cut would have left. Time can be moved.
 *
 *   FAULT_STATE    the state directory, absolute
 *   FAULT_TRACE    one line for each call: its number, class, name, and what it is about
 *   FAULT_JOURNAL  what was done to the state directory, see fault-state.c
 *   FAULT_CONTROL  a socket of the plan; lines in it: "off", "on", "boottime SECONDS", "realtime SECONDS"
 *   FAULT_KIND     what happens: a name of the table below
 *   FAULT_AT       to which of the calls that this kind counts, from 1
 *   FAULT_LAST     as long as it is not "off", to all that follow too
 *   FAULT_VALUE    seconds, or the seed of what is torn
 *   FAULT_KILL     so many calls after the fault the daemon is killed */

/* The names without 64 at their end: with large files the compiler puts it there, as it did in everything
 * that calls us. */

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "fault-shim.h"

static const struct {
        const char *name;
        Counts counts;
} kinds[] = {
                {"kill", COUNTS_ALL},   {"stop", COUNTS_ALL},     {"clock", COUNTS_ALL},
                {"torn", COUNTS_WRITE}, {"full", COUNTS_CHANGE},  {"enospc", COUNTS_CHANGE},
                {"eio", COUNTS_CHANGE}, {"erofs", COUNTS_CHANGE}, {"short", COUNTS_WRITE},
                {"fsync", COUNTS_SYNC}, {"read", COUNTS_READ},    {"none", COUNTS_ALL},
};

typedef enum Class { CLASS_UNKNOWN, CLASS_OTHER, CLASS_LINK, CLASS_BUS } Class;

pthread_mutex_t fault_lock = PTHREAD_MUTEX_INITIALIZER;
static Class classes[FDS_MAX]; /* of sockets */
static int trace_fd = -1, control_fd = -1;
static unsigned kind = (unsigned) -1;
static uint64_t at, counted, calls, kill_after, kill_at;
static bool sticky, released;
static int64_t value;

bool fault_is(const char *name) {
        return kind < sizeof(kinds) / sizeof(kinds[0]) && strcmp(kinds[kind].name, name) == 0;
}

void fault_put(int fd, const void *data, size_t size) {
        if (fd >= 0 && size > 0)
                (void) syscall(SYS_write, fd, data, size);
}

static void trace_call(bool mine, const char *class, const char *call, const char *about) {
        char line[256];
        int n;

        n = snprintf(line, sizeof(line), "%llu %llu %s %s %s\n", (unsigned long long) calls,
                     mine ? (unsigned long long) counted : 0ULL, class, call, about);
        fault_put(trace_fd, line, n < (int) sizeof(line) ? (size_t) n : sizeof(line) - 1);
}
/* -- what the plan says meanwhile --------------------------------------------- */

static void obey(const char *line) {
        long long seconds;

        pthread_mutex_lock(&fault_lock);
        if (strcmp(line, "off") == 0)
                released = true;
        else if (strcmp(line, "on") == 0) {
                released = false;
                at = counted;
                sticky = true;
        } else if (sscanf(line, "boottime %lld", &seconds) == 1)
                fault_time_move(seconds, 0);
        else if (sscanf(line, "realtime %lld", &seconds) == 1)
                fault_time_move(0, seconds);
        pthread_mutex_unlock(&fault_lock);
        fault_put(control_fd, "done\n", 5);
}

static void *listen_to_plan(void *unused) {
        char line[128];
        size_t n = 0;

        while (n < sizeof(line) - 1 && syscall(SYS_read, control_fd, line + n, 1UL) == 1) {
                if (line[n++] != '\n')
                        continue;
                line[n - 1] = '\0';
                obey(line);
                n = 0;
        }
        return NULL;
}

static void open_control(const char *path) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        sigset_t all, before;
        pthread_t thread;

        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        control_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (syscall(SYS_connect, control_fd, &address, sizeof(address)) < 0)
                abort();
        /* Signals are for the event loop. */
        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &before);
        if (pthread_create(&thread, NULL, listen_to_plan, NULL) != 0)
                abort();
        (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int fault_open_output(const char *variable) {
        const char *path = getenv(variable);

        if (!path)
                return -1;
        return (int) syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC,
                             0600);
}

__attribute__((constructor)) static void set_up(void) {
        const char *text;

        trace_fd = fault_open_output("FAULT_TRACE");
        fault_state_set_up();
        if ((text = getenv("FAULT_KIND")))
                for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
                        if (strcmp(kinds[i].name, text) == 0)
                                kind = i;
        at = (text = getenv("FAULT_AT")) ? strtoull(text, NULL, 10) : 0;
        value = (text = getenv("FAULT_VALUE")) ? strtoll(text, NULL, 10) : 0;
        sticky = getenv("FAULT_LAST");
        kill_after = (text = getenv("FAULT_KILL")) ? strtoull(text, NULL, 10) : 0;
        if ((text = getenv("FAULT_CONTROL")))
                open_control(text);
}
/* -- the fault ------------------------------------------------------------------- */

/* The codes of the frames in a piece of the link's stream. */
static size_t name_frames(char *to, size_t size, const uint8_t *data, size_t n) {
        size_t length = 0;

        to[0] = '\0';
        while (n >= 4 && (data[0] == '<' || data[0] == '>') && length + 4 < size) {
                size_t frame = 3 + data[1] + 256U * data[2];

                length += (size_t) snprintf(to + length, size - length, " %u", data[3]);
                if (frame > n)
                        break;
                data += frame;
                n -= frame;
        }
        return length;
}

_Noreturn void fault_die(void) {
        (void) syscall(SYS_kill, getpid(), SIGKILL);
        for (;;)
                pause();
}

bool fault_lasts(void) {
        return sticky && at > 0 && counted >= at && !released;
}

bool fault_holds(void) {
        return fault_lasts() || (at > 0 && counted == at && !released);
}

int64_t fault_value(void) {
        return value;
}

void fault_trace(const char *class, const char *call) {
        trace_call(false, class, call, "");
}

/* Counts a call that is about to be made. Returns whether the fault is for it. */
bool fault_meets(Counts what, const char *class, const char *call, const char *about) {
        bool mine = kind < sizeof(kinds) / sizeof(kinds[0]) &&
                    (kinds[kind].counts == COUNTS_ALL ? what != COUNTS_READ
                     : kinds[kind].counts == COUNTS_CHANGE
                                     ? what == COUNTS_WRITE || what == COUNTS_SYNC || what == COUNTS_CHANGE
                                     : kinds[kind].counts == what);

        calls++;
        counted += mine;
        trace_call(mine, class, call, about);
        if (kill_at > 0 && calls >= kill_at)
                fault_die();
        if (mine && at > 0 && counted == at && kill_after > 0)
                kill_at = calls + kill_after;
        if (!mine || at == 0 || released || counted < at || (counted > at && !sticky))
                return false;

        if (fault_is("kill"))
                fault_die();
        if (fault_is("stop")) {
                fault_time_move(value, 0);
                (void) syscall(SYS_kill, getpid(), SIGSTOP);
                return false;
        }
        if (fault_is("clock")) {
                fault_time_move(0, value);
                return false;
        }
        return true;
}

/* The error that a change of the state directory meets, or 0. growing: needs more room than it has.
 */
static Class class_of_socket(int fd) {
        struct sockaddr_storage address = {};
        socklen_t size = sizeof(address), type_size = sizeof(int);
        int type = 0;

        if (fd < 0 || fd >= FDS_MAX)
                return CLASS_OTHER;
        if (classes[fd] != CLASS_UNKNOWN)
                return classes[fd];
        if (fd == control_fd || getpeername(fd, (struct sockaddr *) &address, &size) < 0)
                return CLASS_OTHER; /* not yet, perhaps */

        (void) getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size);
        if (address.ss_family == AF_INET || address.ss_family == AF_INET6)
                classes[fd] = CLASS_LINK;
        else
                classes[fd] = address.ss_family == AF_UNIX && type == SOCK_STREAM ? CLASS_BUS : CLASS_OTHER;
        return classes[fd];
}

EXPORTED int close(int fd) {
        NEXT(close);
        if (fd >= 0 && fd < FDS_MAX) {
                if (classes[fd] == CLASS_LINK)
                        fault_trace("link", "close");
                classes[fd] = CLASS_UNKNOWN;
        }
        fault_state_forget(fd);
        fault_time_forget(fd);
        return next(fd);
}

/* -- the link and the bus ------------------------------------------------------------ */

static void pass_socket(int fd, const char *call, const void *data, size_t size) {
        char about[128] = "";

        switch (class_of_socket(fd)) {
        case CLASS_LINK:
                (void) name_frames(about, sizeof(about), data, size);
                pthread_mutex_lock(&fault_lock);
                (void) fault_meets(COUNTS_ALL, "link", call, about);
                pthread_mutex_unlock(&fault_lock);
                break;
        case CLASS_BUS:
                pthread_mutex_lock(&fault_lock);
                (void) fault_meets(COUNTS_ALL, "bus", call, "");
                pthread_mutex_unlock(&fault_lock);
                break;
        default:
                break;
        }
}

EXPORTED ssize_t write(int fd, const void *data, size_t size) {
        if (fault_state_has(fd))
                return fault_state_write(fd, data, size);
        return syscall(SYS_write, fd, data, size);
}

EXPORTED ssize_t send(int fd, const void *data, size_t size, int flags) {
        pass_socket(fd, "send", data, size);
        return syscall(SYS_sendto, fd, data, size, flags, NULL, 0);
}

EXPORTED ssize_t recv(int fd, void *data, size_t size, int flags) {
        char about[128] = "";
        ssize_t n;

        pass_socket(fd, "recv", NULL, 0);
        n = syscall(SYS_recvfrom, fd, data, size, flags, NULL, NULL);
        if (n > 0 && class_of_socket(fd) == CLASS_LINK) {
                /* After the call: what came is known only now. */
                (void) name_frames(about, sizeof(about), data, (size_t) n);
                pthread_mutex_lock(&fault_lock);
                (void) fault_meets(COUNTS_ALL, "link", "got", about);
                pthread_mutex_unlock(&fault_lock);
        }
        return n;
}

EXPORTED ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
        pass_socket(fd, "sendmsg", NULL, 0);
        return syscall(SYS_sendmsg, fd, message, flags);
}

EXPORTED ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
        pass_socket(fd, "recvmsg", NULL, 0);
        return syscall(SYS_recvmsg, fd, message, flags);
}
