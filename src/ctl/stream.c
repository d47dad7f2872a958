/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "autobus.h"
#include "clock.h"
#include "command-line.h"
#include "macros.h"
#include "stream.h"

/* What the interface promises that a record is below. */
#define RECORD_MAX 4096

typedef struct Stream {
        const StreamHandlers *handlers;
        void *userdata;
        int fd, signals;
        uint64_t left;     /* records; UINT64_MAX: no limit */
        uint64_t end_usec; /* boot time; UINT64_MAX: never */
} Stream;

static ExitCode open_stream(const Target *target, const char *member, int *ret) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        ExitCode code;
        int fd;

        code = target_call(target, &reply, target->radio, IFACE_MONITOR, member, "a{sv}", 0);
        if (code != EXIT_CODE_OK)
                return code;

        /* The message keeps the descriptor that it came with. */
        if (sd_bus_message_read(reply, "h", &fd) < 0 || (fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to %s makes no sense", member);
        *ret = fd;
        return EXIT_CODE_OK;
}

static ExitCode take_record(Stream *s, const char *text) {
        g_autoptr(JsonNode) node = json_from_string(text, NULL);
        JsonObject *record;
        int64_t lost;

        if (!node || !JSON_NODE_HOLDS_OBJECT(node))
                return ctl_fail(EXIT_CODE_FAILED, "the daemon sent what is no record");

        record = json_node_get_object(node);
        lost = json_int(record, "Lost");
        if (lost > 0)
                ctl_note("%" PRIi64 " records were lost here: they came faster than they were read", lost);
        return s->handlers->record(record, text, s->userdata);
}

/* Returns > 0 when there is a record, or 0 when it is over, with *ret_code. */
static int wait_for_record(const Stream *s, ExitCode *ret_code) {
        struct pollfd fds[] = {{.fd = s->signals, .events = POLLIN}, {.fd = s->fd, .events = POLLIN}};

        for (;;) {
                uint64_t now = clock_boottime_usec(), left = s->end_usec - MIN(now, s->end_usec);
                int timeout = s->end_usec == UINT64_MAX ? -1 : (int) MIN(left / USEC_PER_MSEC + 1, 3600000);

                *ret_code = EXIT_CODE_OK;
                if (left == 0)
                        return 0;
                if (poll(fds, ELEMENTSOF(fds), timeout) < 0 && errno != EINTR) {
                        *ret_code = ctl_fail(EXIT_CODE_FAILED, "cannot wait: %s", g_strerror(errno));
                        return 0;
                }
                if (fds[0].revents)
                        return 0;
                if (fds[1].revents)
                        return 1;
        }
}

static ExitCode read_stream(Stream *s) {
        char text[RECORD_MAX + 1];
        ExitCode code = EXIT_CODE_OK;

        while (s->left > 0 && wait_for_record(s, &code) > 0) {
                ssize_t n = recv(s->fd, text, RECORD_MAX, 0);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return ctl_fail(EXIT_CODE_FAILED, "cannot read: %s", g_strerror(errno));
                if (n == 0)
                        return ctl_fail(EXIT_CODE_UNREACHABLE, "meshcored ended, or the radio was removed");

                text[n] = '\0';
                if (s->left != UINT64_MAX)
                        s->left--;
                code = take_record(s, text);
                if (code != EXIT_CODE_OK)
                        break;
        }
        return code;
}

static ExitCode watch_signals(Stream *s) {
        sigset_t set;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGINT);
        (void) sigaddset(&set, SIGTERM);
        (void) sigaddset(&set, SIGHUP);
        (void) sigprocmask(SIG_BLOCK, &set, NULL);
        s->signals = signalfd(-1, &set, SFD_CLOEXEC);
        return s->signals < 0 ? ctl_fail(EXIT_CODE_FAILED, "cannot wait: %s", g_strerror(errno))
                              : EXIT_CODE_OK;
}

static ExitCode read_limits(const Args *args, Stream *s) {
        const char *duration = args_get(args, "duration");
        uint64_t usec;

        if (duration && parse_duration(duration, &usec) < 0)
                return ctl_fail(EXIT_CODE_USAGE, "--duration: not a time like 90s, 15min or 2h: %s",
                                duration);
        if (duration)
                s->end_usec = clock_boottime_usec() + usec;
        return args_get_number(args, "count", INT64_MAX, &s->left);
}

ExitCode stream_run(const Target *target, const char *member, const Args *args,
                    const StreamHandlers *handlers, void *userdata) {
        Stream s = {
                        .handlers = handlers,
                        .userdata = userdata,
                        .fd = -EBADF,
                        .signals = -EBADF,
                        .left = UINT64_MAX,
                        .end_usec = UINT64_MAX,
        };
        ExitCode code;

        code = read_limits(args, &s);
        if (code == EXIT_CODE_OK)
                code = open_stream(target, member, &s.fd);
        if (code == EXIT_CODE_OK)
                code = watch_signals(&s);
        if (code == EXIT_CODE_OK && handlers->opened)
                code = handlers->opened(target, userdata);
        if (code == EXIT_CODE_OK)
                code = read_stream(&s);

        safe_close(s.fd);
        safe_close(s.signals);
        return code;
}
