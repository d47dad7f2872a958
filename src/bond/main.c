/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <syslog.h>

#include "bond-tool.h"
#include "config.h"
#include "log.h"
#include "macros.h"

#define READY_USEC (15 * USEC_PER_SEC)

static void on_changed(Bluez *bluez, BluezChange what, const char *path, void *userdata) {
        if (what == BLUEZ_CHANGED_SERVICE && (bluez_is_ready(bluez) || bluez_error(bluez) < 0))
                *(bool *) userdata = true;
}

static Exit fail(Exit code, BondReason reason, const char *text) {
        print_error("%s", text);
        return (Exit) print_result(code, BOND_NONE, reason, NULL);
}

/* EXIT_GOOD when bluetoothd's objects are there. */
static Exit wait_for_bluez(sd_event *event, Bluez *bluez, const Options *options) {
        bool reads = options->mode == MODE_CHECK_ONLY || options->mode == MODE_LIST, over = false;
        uint64_t now = 0, until;
        BluezWatch *watch;

        if (bluez_refresh(bluez, !reads) < 0)
                return fail(EXIT_BUS, BOND_REASON_STACK, "Cannot connect to the system bus");

        watch = bluez_watch(bluez, on_changed, &over);
        (void) sd_event_now(event, CLOCK_MONOTONIC, &now);
        until = now + READY_USEC;
        while (!over && now < until)
                if (sd_event_run(event, until - now) < 0 || sd_event_now(event, CLOCK_MONOTONIC, &now) < 0)
                        break;
        watch = bluez_unwatch(watch);

        if (!bluez_is_ready(bluez)) {
                if (bluez_error(bluez) == -ENOTCONN)
                        return fail(EXIT_BUS, BOND_REASON_STACK, "Cannot connect to the system bus");
                return fail(EXIT_ADAPTER, BOND_REASON_ADAPTER,
                            bluez_error(bluez) == -EACCES ? "The system bus does not let us talk to BlueZ"
                                                          : "BlueZ is not running");
        }
        if (!bluez_find_adapter(bluez, options->adapter))
                return fail(EXIT_ADAPTER, BOND_REASON_ADAPTER,
                            options->adapter ? "There is no such Bluetooth adapter"
                                             : "There is no Bluetooth adapter");
        return EXIT_GOOD;
}

static Exit run(const Options *options) {
        __attribute__((cleanup(sd_event_unrefp))) sd_event *event = NULL;
        g_autoptr(Bluez) bluez = NULL;
        Exit code;

        if (sd_event_default(&event) < 0 || bluez_new(event, NULL, &bluez) < 0)
                return fail(EXIT_FAILED, BOND_REASON_STACK, "Cannot make an event loop");

        code = wait_for_bluez(event, bluez, options);
        if (code != EXIT_GOOD)
                return code;

        if (options->mode == MODE_LIST || options->mode == MODE_SCAN)
                return run_list(event, bluez, options);
        if (options->mode == MODE_FORGET)
                return run_forget(event, bluez, options);
        print_adapter(bluez_find_adapter(bluez, options->adapter), options->mode != MODE_CHECK_ONLY);
        return run_bond(event, bluez, options);
}

int main(int argc, char **argv) {
        g_auto(Options) options = {};
        Exit code;
        int r;

        (void) setlocale(LC_CTYPE, "");
        log_setup(LOG_TARGET_TERMINAL);
        log_set_level(LOG_WARNING);
        r = options_parse(argc, argv, &options);
        if (r <= 0)
                return -r;
        if (options.verbose)
                log_set_level(LOG_DEBUG);

        print_init(&options);
        if (options.mode != MODE_LIST && options.mode != MODE_SCAN) {
                if (!options.json)
                        (void) puts("meshcore-bond v" MESHCORED_VERSION);
                if (!options.no_daemon && daemon_try(&options, &code) > 0)
                        return (int) code;
                if (g_str_has_prefix(options.target, DAEMON_RADIO_PREFIX))
                        return (int) fail(EXIT_FAILED, BOND_REASON_NOT_FOUND,
                                          options.no_daemon
                                                          ? "That is an object of the daemon"
                                                          : "meshcored does not run, or has no such radio on "
                                                            "Bluetooth");
        }
        return (int) run(&options);
}
