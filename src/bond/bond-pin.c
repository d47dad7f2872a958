/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>

#include "bond-tool.h"
#include "macros.h"

#define ENVIRONMENT "MESHCORE_BLE_PIN"

static const char six_digits[] = "A PIN has exactly six digits";

static int complain(const char *from, int r) {
        if (r == -EINVAL)
                print_error("%s: %s", from, six_digits);
        else if (r == -EPERM)
                print_error("%s: others can read it (chmod o= it)", from);
        else
                print_error("%s: %s", from, g_strerror(-r));
        return r == -ENOENT ? -EINVAL : r;
}

/* One line; what is longer is no PIN. */
static int read_line(FILE *file, uint32_t *ret) {
        char line[16] = {};
        int r;

        if (!fgets(line, sizeof(line), file))
                return -ECANCELED;

        line[strcspn(line, "\r\n")] = '\0';
        r = passkey_parse(line, ret);
        explicit_bzero(line, sizeof(line));
        return r;
}

static int from_credentials(uint32_t *ret) {
        static const char *const names[] = {"meshcore-bond.pin", "meshcored.pin"};
        const char *directory = g_getenv("CREDENTIALS_DIRECTORY");

        for (size_t i = 0; directory && i < ELEMENTSOF(names); i++) {
                g_autofree char *path = g_build_filename(directory, names[i], NULL);
                int r = passkey_read_file(path, ret);

                if (r != -ENOENT)
                        return r < 0 ? complain(path, r) : 0;
        }
        return -ENOENT;
}

int pin_find(const char *pin, const char *file, uint32_t *ret) {
        const char *environment = g_getenv(ENVIRONMENT);
        int r;

        if (pin) {
                r = passkey_parse(pin, ret);
                return r < 0 ? complain("--pin", r) : 0;
        }
        if (file) {
                r = strcmp(file, "-") == 0 ? read_line(stdin, ret) : passkey_read_file(file, ret);
                return r < 0 ? complain(strcmp(file, "-") == 0 ? "standard input" : file, r) : 0;
        }

        r = from_credentials(ret);
        if (r != -ENOENT)
                return r;
        if (environment) {
                r = passkey_parse(environment, ret);
                return r < 0 ? complain(ENVIRONMENT, r) : 0;
        }
        return -ENOENT;
}

static void on_interrupt(int number) {
}

/* So that Ctrl-C ends the wait for a line, and the echo comes back. */
static int read_interruptibly(FILE *file, uint32_t *ret) {
        const struct sigaction interrupt = {.sa_handler = on_interrupt};
        struct sigaction before;
        sigset_t mask, blocked;
        int r;

        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGINT);
        (void) sigaction(SIGINT, &interrupt, &before);
        (void) sigprocmask(SIG_UNBLOCK, &mask, &blocked);
        r = read_line(file, ret);
        (void) sigprocmask(SIG_SETMASK, &blocked, NULL);
        (void) sigaction(SIGINT, &before, NULL);
        return r;
}

int pin_ask(uint32_t *ret) {
        struct termios before, silent;
        FILE *terminal;
        int r;

        terminal = fopen("/dev/tty", "r+e");
        if (!terminal)
                return -ENOENT;
        if (tcgetattr(fileno(terminal), &before) < 0) {
                (void) fclose(terminal);
                return -ENOENT;
        }

        /* Before the question: who answers it at once is neither shown nor lost. */
        silent = before;
        silent.c_lflag &= ~(tcflag_t) ECHO;
        if (tcsetattr(fileno(terminal), TCSAFLUSH, &silent) < 0) {
                (void) fclose(terminal);
                return -ENOENT;
        }
        (void) fprintf(terminal, "Enter PIN: ");
        (void) fflush(terminal);
        r = read_interruptibly(terminal, ret);
        (void) tcsetattr(fileno(terminal), TCSAFLUSH, &before);
        (void) fprintf(terminal, "\n");
        (void) fclose(terminal);
        if (r == -EINVAL)
                print_error("%s", six_digits);
        return r;
}
