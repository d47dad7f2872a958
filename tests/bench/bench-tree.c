/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GetManagedObjects of the daemon on the bus, beside a call to another
 * process that answers with one array of as many bytes. */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench-util.h"

#define CALLS 50

static int answer_floor(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        sd_bus_message *reply;
        uint32_t size;
        void *data;
        int r;

        r = sd_bus_message_read(call, "u", &size);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_return(call, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_append_array_space(reply, 'y', size, &data);
        if (r >= 0) {
                memset(data, 'x', size);
                r = sd_bus_send(NULL, reply, NULL);
        }
        sd_bus_message_unref(reply);
        return r < 0 ? r : 1;
}

static pid_t start_floor(void) {
        pid_t pid = fork();
        sd_bus *bus;

        if (pid < 0)
                err(1, "fork");
        if (pid > 0)
                return pid;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        bus = bench_open_bus();
        sd_bus_add_object(bus, NULL, BENCH_FLOOR_PATH, answer_floor, NULL);
        if (sd_bus_request_name(bus, BENCH_FLOOR_INTERFACE, 0) < 0)
                errx(1, "cannot own the name of the floor");
        for (;;) {
                int r = sd_bus_process(bus, NULL);

                if (r < 0 || (r == 0 && sd_bus_wait(bus, UINT64_MAX) < 0))
                        _exit(0);
        }
}

static size_t skip(sd_bus_message *m) {
        size_t n = 0;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{oa{sa{sv}}}");
        if (r < 0)
                errx(1, "bad reply: %s", strerror(-r));
        while ((r = sd_bus_message_skip(m, "{oa{sa{sv}}}")) > 0)
                n++;
        return n;
}

static uint64_t call_tree(sd_bus *bus, size_t *ret_objects) {
        sd_bus_message *reply = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        uint64_t begun = bench_now(), took;

        if (sd_bus_call_method(bus, "org.meshcored1", "/org/meshcored1", "org.freedesktop.DBus.ObjectManager",
                               "GetManagedObjects", &error, &reply, NULL) < 0)
                errx(1, "GetManagedObjects: %s", error.message);
        took = bench_now() - begun;
        if (ret_objects)
                *ret_objects = skip(reply);
        sd_bus_message_unref(reply);
        return took;
}

static uint64_t call_floor(sd_bus *bus, uint32_t size) {
        sd_bus_message *reply = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        uint64_t begun = bench_now(), took;

        while (sd_bus_call_method(bus, BENCH_FLOOR_INTERFACE, BENCH_FLOOR_PATH, BENCH_FLOOR_INTERFACE, "Get",
                                  &error, &reply, "u", size) < 0) {
                if (!sd_bus_error_has_name(&error, SD_BUS_ERROR_SERVICE_UNKNOWN))
                        errx(1, "floor: %s", error.message);
                sd_bus_error_free(&error); /* it is still starting */
        }
        took = bench_now() - begun;
        sd_bus_message_unref(reply);
        return took;
}

int main(int argc, char **argv) {
        /* One contact is about 800 bytes on the wire; the daemon's own reply is not measured in bytes by
         * sd-bus. */
        uint64_t ours[CALLS], floors[CALLS];
        pid_t floor = start_floor();
        sd_bus *bus = bench_open_bus();
        size_t objects = 0;
        char what[64];

        (void) call_tree(bus, &objects);
        (void) call_floor(bus, 1);
        for (size_t i = 0; i < CALLS; i++) {
                ours[i] = call_tree(bus, NULL);
                floors[i] = call_floor(bus, (uint32_t) objects * 800);
        }
        snprintf(what, sizeof(what), "GetManagedObjects, %zu objects, p50", objects);
        bench_print(what, "ms", (double) bench_quantile(ours, CALLS, 0.5) / 1e6,
                    (double) bench_quantile(floors, CALLS, 0.5) / 1e6, 30);

        sd_bus_close_unref(bus);
        kill(floor, SIGTERM);
        waitpid(floor, NULL, 0);
        return 0;
}
