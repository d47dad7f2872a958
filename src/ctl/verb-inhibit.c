/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "autobus.h"
#include "execute.h"
#include "macros.h"
#include "target.h"
#include "verbs.h"

/* The port of a radio for somebody else, as long as that runs. */

typedef struct Inhibition {
        char *transport, *address;
        int fd; /* the radio is ours while it is open anywhere */
} Inhibition;

static void inhibition_clear(Inhibition *i) {
        g_clear_pointer(&i->transport, g_free);
        g_clear_pointer(&i->address, g_free);
        if (i->fd >= 0)
                (void) close(i->fd);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Inhibition, inhibition_clear)

static ExitCode take(const CtlOptions *options, const char *why, Inhibition *i) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        g_auto(Target) target = {};
        JsonObject *radio;
        ExitCode code;
        int fd;

        code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = target_call(&target, &reply, target.radio, IFACE_RADIO, "Inhibit", "s", why);
        if (code != EXIT_CODE_OK)
                return code;
        if (sd_bus_message_read(reply, "h", &fd) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer makes no sense");

        /* Not closed by exec: should we end first, the radio stays with the command. */
        i->fd = fcntl(fd, F_DUPFD, 3);
        if (i->fd < 0)
                return ctl_fail(EXIT_CODE_FAILED, "cannot keep the radio: %s", g_strerror(errno));
        radio = objects_get(target.objects, target.radio, IFACE_RADIO);
        i->transport = g_strdup(json_string(radio, "Transport"));
        i->address = g_strdup(*json_string(radio, "Port") ? json_string(radio, "Port")
                                                          : json_string(radio, "Address"));
        return EXIT_CODE_OK;
}

/* -- holding ------------------------------------------------------------------ */

static void print_port(const CtlOptions *options, const Inhibition *i) {
        g_autoptr(JsonObject) object = NULL;

        if (options->json) {
                object = json_object_new();
                json_object_set_string_member(object, "Transport", i->transport);
                json_object_set_string_member(object, "Address", i->address);
                json_print_line(g_steal_pointer(&object));
                return;
        }
        puts(i->address);
        (void) fflush(stdout);
        if (isatty(STDERR_FILENO))
                ctl_note("the radio is free for other programs; Ctrl-C gives it back to meshcored");
}

/* Until a signal, or until the daemon ends, with which the radio is free for the next one. */
static ExitCode hold(const CtlOptions *options, const Inhibition *i) {
        _cleanup_close_ int signal_fd = -EBADF;
        sigset_t set;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGINT);
        (void) sigaddset(&set, SIGTERM);
        (void) sigaddset(&set, SIGHUP);
        (void) sigprocmask(SIG_BLOCK, &set, NULL);
        signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
        if (signal_fd < 0)
                return ctl_fail(EXIT_CODE_FAILED, "cannot wait: %s", g_strerror(errno));

        /* Who has read it may send the signal at once. */
        print_port(options, i);
        for (;;) {
                struct pollfd fds[] = {{.fd = signal_fd, .events = POLLIN}, {.fd = i->fd}};

                if (poll(fds, ELEMENTSOF(fds), -1) < 0 && errno != EINTR)
                        return ctl_fail(EXIT_CODE_FAILED, "cannot wait: %s", g_strerror(errno));
                if (fds[0].revents)
                        return EXIT_CODE_OK;
                if (fds[1].revents)
                        return ctl_fail(EXIT_CODE_UNREACHABLE,
                                        "meshcored ended: a new one will take the radio back");
        }
}

static ExitCode run_command(const Inhibition *i, char **command) {
        g_autofree char *port = g_strconcat("MESHCORE_PORT=", i->address, NULL);
        char *const env[] = {port, NULL};
        int status, r;
        pid_t pid;

        r = program_start(command, env, -1, -1, &pid);
        if (r < 0)
                return ctl_fail(EXIT_CODE_FAILED, "cannot start %s: %s", command[0], g_strerror(-r));

        /* Ctrl-C is for the command, which may have to finish what it began. */
        (void) signal(SIGINT, SIG_IGN);
        (void) signal(SIGQUIT, SIG_IGN);
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return ctl_fail(EXIT_CODE_FAILED, "cannot wait for %s: %s", command[0],
                                        g_strerror(errno));
        return (ExitCode) program_status(status);
}

static ExitCode run_inhibit(const CtlOptions *options, const Args *args) {
        g_auto(Inhibition) inhibition = {.fd = -1};
        g_autofree char **command = g_new0(char *, args_count(args));
        g_autofree char *program = NULL;
        ExitCode code;

        if (args_count(args) > 1) {
                program = g_find_program_in_path(args_word(args, 1));
                if (!program)
                        return ctl_fail(EXIT_CODE_USAGE, "there is no program %s", args_word(args, 1));
        }
        code = take(options, args_word(args, 0), &inhibition);
        if (code != EXIT_CODE_OK)
                return code;

        if (args_count(args) == 1)
                return hold(options, &inhibition);
        for (unsigned i = 1; i < args_count(args); i++) {
                bool is_port = strcmp(args_word(args, i), "{}") == 0;

                command[i - 1] = is_port ? inhibition.address : (char *) args_word(args, i);
        }
        return run_command(&inhibition, command);
}

const Verb verb_inhibit = {
                .name = "inhibit",
                .arguments = "WHY [-- COMMAND [WORD…]]",
                .summary = "Lend a radio to another program, such as a flasher",
                .description = "The daemon closes the port and keeps away from it while COMMAND runs, or "
                               "without "
                               "one\n"
                               "until Ctrl-C; then it connects again. WHY goes to its log. The address of "
                               "the "
                               "radio\n"
                               "(of a serial one its port) stands in place of the word {}, and in the "
                               "environment as\n"
                               "MESHCORE_PORT; without COMMAND it is printed. The exit status is that of "
                               "COMMAND, "
                               "or 128\n"
                               "and the number of the signal that ended it. Needs the right to administer.\n"
                               "\n"
                               "With --json, without COMMAND: an object with Transport and Address.\n",
                .examples = "  meshcorectl inhibit 'new firmware' -- esptool --port {} write_flash 0 fw.bin\n"
                            "  meshcorectl --radio attic inhibit 'trying the phone app'\n",
                .min_words = 1,
                .max_words = UINT_MAX,
                .run = run_inhibit,
};
