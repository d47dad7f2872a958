/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Time from fork to the owned name, of any program: prints the median in ms. */
#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench-util.h"

#define STARTS 11

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        uint64_t *owned_at = userdata;
        const char *name, *from, *to;

        if (sd_bus_message_read(m, "sss", &name, &from, &to) < 0)
                errx(1, "bad NameOwnerChanged");
        if (*to)
                *owned_at = bench_now();
        return 1;
}

static uint64_t measure(sd_bus *bus, uint64_t *owned_at, char **argv) {
        uint64_t begun = bench_now();
        pid_t pid;

        *owned_at = 0;
        pid = fork();
        if (pid < 0)
                err(1, "fork");
        if (pid == 0) {
                execvp(argv[0], argv);
                err(1, "%s", argv[0]);
        }
        while (*owned_at == 0) {
                int r = sd_bus_process(bus, NULL);

                if (r < 0)
                        errx(1, "bus: %s", strerror(-r));
                if (r == 0 && sd_bus_wait(bus, 20 * 1000000) <= 0)
                        errx(1, "the name was not owned within 20 s");
        }
        kill(pid, SIGTERM);
        waitpid(pid, NULL, 0);
        return *owned_at - begun;
}

int main(int argc, char **argv) {
        uint64_t samples[STARTS], owned_at;
        char match[256];
        sd_bus *bus;

        if (argc < 3)
                errx(1, "usage: %s NAME PROGRAM [ARGUMENT...]", argv[0]);

        bus = bench_open_bus();
        snprintf(match, sizeof(match),
                 "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='%s'", argv[1]);
        if (sd_bus_add_match(bus, NULL, match, on_owner, &owned_at) < 0)
                errx(1, "cannot match");
        for (unsigned i = 0; i < STARTS; i++)
                samples[i] = measure(bus, &owned_at, argv + 2);
        printf("%.3f\n", (double) bench_quantile(samples, STARTS, 0.5) / 1e6);
        sd_bus_close_unref(bus);
        return 0;
}
