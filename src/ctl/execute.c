/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "command-line.h"
#include "config.h"
#include "execute.h"
#include "macros.h"

static ExitCode run(const CommandLine *line) {
        if (line->version) {
                printf(CTL_NAME " (meshcored) " MESHCORED_VERSION "\n");
                return EXIT_CODE_OK;
        }
        if (line->help) {
                if (line->verb)
                        help_print_verb(line->verb);
                else
                        help_print_overview();
                return EXIT_CODE_OK;
        }
        if (!line->verb)
                return verb_status.run(&line->options, NULL);
        return line->verb->run(&line->options, line->args);
}

ExitCode execute(int argc, char *argv[], const CtlOptions *around) {
        g_auto(CommandLine) line = {};
        ExitCode code;

        if (around)
                line.options = *around;
        code = command_line_parse(argc, argv, &line);
        if (code == EXIT_CODE_OK)
                code = run(&line);

        /* What a full disk or a closed pipe swallowed was not done. */
        if ((fflush(stdout) != 0 || ferror(stdout)) && code == EXIT_CODE_OK)
                code = ctl_fail(EXIT_CODE_FAILED, "cannot write to standard output: %s", g_strerror(errno));
        return code;
}

/* -- in a process of its own -------------------------------------------------- */

/* To whoever is asked to end, before it is not asked any more. */
#define END_USEC (5 * USEC_PER_SEC)

static int wait_for(pid_t pid) {
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return status;
}

static _Noreturn void be_child(char *const words[], const CtlOptions *around, int stdin_fd, int stdout_fd) {
        g_autoptr(GPtrArray) argv = g_ptr_array_new();
        ExitCode code;

        /* Who ends us means all of it. */
        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        if ((stdin_fd >= 0 && dup2(stdin_fd, STDIN_FILENO) < 0) ||
            (stdout_fd >= 0 && dup2(stdout_fd, STDOUT_FILENO) < 0))
                _exit(EXIT_CODE_FAILED);

        g_ptr_array_add(argv, (char *) CTL_NAME);
        for (char *const *w = words; *w; w++)
                g_ptr_array_add(argv, *w);
        g_ptr_array_add(argv, NULL);
        code = execute((int) argv->len - 1, (char **) argv->pdata, around);
        _exit((int) code);
}

ExitCode execute_apart(char *const words[], const CtlOptions *around, int stdin_fd, int stdout_fd) {
        int status;
        pid_t pid;

        (void) fflush(stdout);
        pid = fork();
        if (pid < 0)
                return ctl_fail(EXIT_CODE_FAILED, "cannot start a process: %s", g_strerror(errno));
        if (pid == 0)
                be_child(words, around, stdin_fd, stdout_fd);

        status = wait_for(pid);
        if (status < 0)
                return ctl_fail(EXIT_CODE_FAILED, "cannot wait for a process: %s", g_strerror(-status));
        if (!WIFEXITED(status))
                return ctl_fail(EXIT_CODE_FAILED, "ended by signal %d", WTERMSIG(status));
        return (ExitCode) WEXITSTATUS(status);
}

/* -- programs of others -------------------------------------------------------- */

static char **environment(char *const added[]) {
        char **env = g_get_environ();

        for (char *const *a = added; a && *a; a++) {
                g_autofree char *name = g_strndup(*a, strcspn(*a, "="));

                env = g_environ_setenv(env, name, strchr(*a, '=') + 1, TRUE);
        }
        return env;
}

int program_start(char *const argv[], char *const added[], int stdin_fd, int stdout_fd, pid_t *ret) {
        g_auto(GStrv) env = environment(added);
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none, all;
        int r;

        (void) sigemptyset(&none);
        (void) sigfillset(&all);
        (void) posix_spawnattr_init(&attributes);
        (void) posix_spawn_file_actions_init(&actions);
        (void) posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        (void) posix_spawnattr_setsigmask(&attributes, &none);
        (void) posix_spawnattr_setsigdefault(&attributes, &all);

        r = stdin_fd < 0 ? 0 : posix_spawn_file_actions_adddup2(&actions, stdin_fd, STDIN_FILENO);
        if (r == 0 && stdout_fd >= 0)
                r = posix_spawn_file_actions_adddup2(&actions, stdout_fd, STDOUT_FILENO);
        if (r == 0)
                r = posix_spawnp(ret, argv[0], &actions, &attributes, argv, env);

        (void) posix_spawn_file_actions_destroy(&actions);
        (void) posix_spawnattr_destroy(&attributes);
        return -r;
}

void program_end(pid_t pid) {
        _cleanup_close_ int fd = pidfd_open(pid, 0);
        uint64_t now = clock_boottime_usec(), until = now + END_USEC;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int n = 0;

        (void) kill(pid, SIGTERM);
        while (fd >= 0 && n <= 0 && now < until) {
                n = poll(&p, 1, (int) ((until - now) / USEC_PER_MSEC) + 1);
                if (n < 0 && errno != EINTR)
                        break;
                now = clock_boottime_usec();
        }
        if (n <= 0)
                (void) kill(pid, SIGKILL);
        (void) wait_for(pid);
}

int program_status(int wait_status) {
        return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

/* -- files in memory ------------------------------------------------------------ */

int memory_file(const char *name, const char *bytes, size_t n) {
        _cleanup_close_ int fd = -EBADF;

        fd = memfd_create(name, MFD_CLOEXEC);
        if (fd < 0)
                return -errno;
        for (size_t done = 0; done < n;) {
                ssize_t k = write(fd, bytes + done, n - done);

                if (k < 0 && errno != EINTR)
                        return -errno;
                done += k > 0 ? (size_t) k : 0;
        }
        if (lseek(fd, 0, SEEK_SET) < 0)
                return -errno;
        return steal_fd(&fd);
}

int memory_file_read(int fd, size_t max, char **ret, size_t *ret_n) {
        g_autofree char *bytes = NULL;
        struct stat st;
        size_t n, done = 0;

        if (fstat(fd, &st) < 0)
                return -errno;
        n = MIN((size_t) st.st_size, max);
        bytes = g_malloc(n + 1);
        while (done < n) {
                ssize_t k = pread(fd, bytes + done, n - done, (off_t) done);

                if (k < 0 && errno != EINTR)
                        return -errno;
                if (k == 0)
                        break;
                done += k > 0 ? (size_t) k : 0;
        }
        bytes[done] = '\0';

        *ret = g_steal_pointer(&bytes);
        *ret_n = done;
        return 0;
}
