/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "bond-tool.h"
#include "macros.h"

/* Checking and making a bond without a daemon: the link of the daemon itself, opened once, and one question
 * to the radio, which is asked over the protected characteristics. */

#define CONNECT_USEC (10 * USEC_PER_SEC)
#define SEARCH_USEC  (30 * USEC_PER_SEC)
#define ANSWER_USEC  (8 * USEC_PER_SEC)
#define LEAVE_USEC   (5 * USEC_PER_SEC)
#define TRIES        5

typedef struct Run {
        sd_event *event;
        Bluez *bluez;
        const Options *options;
        Bond *bond;
        Link *link;
        BondState shown;
        sd_event_source *timer, *signals[3];
        int pin; /* of the last question: 0, or a negative errno; 1: not asked yet */
        uint32_t passkey;
        bool had_bond; /* that is to be replaced */
        bool paired, over;
        Exit code;
} Run;

static void finish(Run *run, Exit code) {
        run->code = code;
        run->over = true;
}

/* A pairing that is under way leaves traces if it is not ended. */
static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Run *run = userdata;

        if (run->over)
                return 0;
        bond_set(run->bond, bond_state(run->bond) == BOND_PAIRING ? BOND_NONE : bond_state(run->bond),
                 BOND_REASON_CANCELLED);
        print_error("Interrupted");
        finish(run, EXIT_FAILED);
        return 0;
}

static int watch_signals(Run *run) {
        static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
        sigset_t mask;
        int r = 0;

        (void) sigemptyset(&mask);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaddset(&mask, signals[i]);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(signals); i++)
                r = sd_event_add_signal(run->event, &run->signals[i], signals[i], on_signal, run);
        return r;
}

static const BluezDevice *find_device(Run *run) {
        const BluezAdapter *adapter =
                        run->options->adapter ? bluez_find_adapter(run->bluez, run->options->adapter) : NULL;
        g_autoptr(GPtrArray) devices = bluez_devices(run->bluez);
        const char *address = link_ble_address(run->link);
        const char *wanted = *address ? address : run->options->target;

        for (guint i = 0; i < devices->len; i++) {
                const BluezDevice *d = devices->pdata[i];

                if (bluez_device_is_called(d, wanted) && (!adapter || strcmp(d->adapter, adapter->path) == 0))
                        return d;
        }
        return NULL;
}

/* -- the bond ------------------------------------------------------------------- */

static int get_passkey(void *userdata, uint32_t *ret) {
        Run *run = userdata;

        if (run->options->has_passkey) {
                *ret = run->options->passkey;
                return 0;
        }
        if (run->pin > 0)
                run->pin = run->options->json ? -ENOENT : pin_ask(&run->passkey);
        if (run->pin < 0)
                return run->pin;

        *ret = run->passkey;
        return 0;
}

static void on_bond(Bond *bond, void *userdata) {
        Run *run = userdata;
        BondState state = bond_state(bond), before = run->shown;

        run->shown = state;
        if (state == before)
                return;

        switch (state) {
        case BOND_PAIRING:
                if (run->had_bond)
                        print_line("Cleanup", "removed %s bond",
                                   run->options->mode == MODE_FORCE_REPAIR ? "existing" : "invalid");
                run->had_bond = false;
                print_line("Agent", "registered (KeyboardDisplay)");
                print_verbose("pairing with %s", link_ble_address(run->link));
                break;
        case BOND_BONDED:
                if (before == BOND_PAIRING) {
                        run->paired = true;
                        print_line("Pairing", "success");
                        print_line("Trusted", "set");
                } else
                        print_verbose("services are there, subscribing");
                break;
        case BOND_STALE:
                print_line("Verify", "test connect FAILED — bond is invalid (%s)",
                           bond_reason_to_string(bond_reason(bond)));
                break;
        case BOND_VERIFIED:
                print_line("Verify", "test connect OK, the radio answered");
                break;
        default:
                break;
        }
}

/* -- the link --------------------------------------------------------------------- */

static int on_no_answer(sd_event_source *source, uint64_t usec, void *userdata) {
        Run *run = userdata;

        bond_set(run->bond, BOND_UNREACHABLE, BOND_REASON_TIMEOUT);
        print_error("The radio is connected but does not answer");
        finish(run, EXIT_FAILED);
        return 0;
}

static void on_opened(Link *link, void *userdata) {
        Run *run = userdata;
        int r;

        r = link_ble_probe(link);
        if (r >= 0)
                r = sd_event_add_time_relative(run->event, &run->timer, CLOCK_MONOTONIC, ANSWER_USEC, 0,
                                               on_no_answer, run);
        if (r < 0) {
                print_error("Cannot ask the radio: %s", g_strerror(-r));
                finish(run, EXIT_FAILED);
        }
}

static void set_trusted(Run *run) {
        const BluezDevice *d = find_device(run);
        sd_bus_message *m = NULL;

        if (!d || d->trusted || run->paired)
                return;
        if (bluez_message_set(run->bluez, d->path, BLUEZ_DEVICE, "Trusted", true, &m) >= 0) {
                bluez_tell(run->bluez, m);
                print_line("Trusted", "set");
        }
        sd_bus_message_unref(m);
}

static void on_frame(Link *link, const uint8_t *frame, size_t size, void *userdata) {
        Run *run = userdata;

        if (run->over)
                return;
        if (run->options->mode != MODE_CHECK_ONLY)
                set_trusted(run);
        finish(run, EXIT_GOOD);
}

static void on_closed(Link *link, LinkEnd end, int error, void *userdata) {
        Run *run = userdata;
        BondState state = bond_state(run->bond);
        g_autofree char *why = g_strdup(link_why(link));

        if (run->over)
                return;

        if (end == LINK_END_REFUSED && error == -EBUSY) {
                print_line("Verify", "another program of this computer talks to the radio");
                finish(run, EXIT_GOOD);
                return;
        }
        if (run->options->mode == MODE_CHECK_ONLY && end == LINK_END_NEEDS_PIN) {
                print_verbose("%s", why);
                finish(run, EXIT_NO_BOND);
                return;
        }
        if (run->options->mode == MODE_CHECK_ONLY && state == BOND_STALE) {
                finish(run, EXIT_NO_BOND);
                return;
        }

        *why = g_ascii_toupper(*why);
        print_error("%s", why);
        finish(run, end == LINK_END_NOT_PLUGGED || end == LINK_END_ADAPTER_OFF ||
                                                    (end == LINK_END_REFUSED && error == -EACCES)
                                    ? EXIT_ADAPTER
                                    : EXIT_FAILED);
}

static const LinkHandler handler = {.opened = on_opened, .frame = on_frame, .closed = on_closed};

/* -- all of it ---------------------------------------------------------------------- */

void print_adapter(const BluezAdapter *adapter, bool changes) {
        const char *version = strrchr(adapter->modalias, 'd');
        const char *slash = strrchr(adapter->path, '/'), *flags = adapter->pairable ? "pairable" : "inactive";
        unsigned number = version ? (unsigned) strtoul(version + 1, NULL, 16) : 0;

        if (number > 0)
                print_line("BlueZ", "%u.%u", number >> 8, number & 0xFF);
        else
                print_line("BlueZ", "unknown");
        if (adapter->powered)
                flags = adapter->pairable ? "powered, pairable" : "powered";
        print_line("Adapter", "%s (%s)", slash ? slash + 1 : adapter->path, flags);
        if (changes && !adapter->powered)
                print_verbose("giving power to the adapter");
}

static void print_bond(Run *run) {
        const BluezDevice *d = find_device(run);

        print_line("Device", "%s", run->options->target);
        print_fact("Device", run->options->target);
        if (run->options->mode == MODE_CHECK_ONLY)
                print_line("Mode", "check-only");
        if (run->options->mode == MODE_FORCE_REPAIR)
                print_line("Mode", "force-repair");

        if (!d)
                print_line("Bond", "not found — pairing required");
        else if (!d->paired)
                print_line("Bond", "found (not paired)");
        else
                print_line("Bond", "found (paired%s trusted)", d->trusted ? " +" : ", not");
        run->had_bond = d && d->paired;
        if (run->had_bond && run->options->mode != MODE_FORCE_REPAIR)
                print_line("Verify", "testing connection...");
}

/* What we began ends before we do. */
static void leave(Run *run) {
        const BluezDevice *d = find_device(run);
        g_autofree char *path = d ? g_strdup(d->path) : NULL;
        uint64_t until = 0, now = 0;

        run->link = link_close(run->link);
        if (path && bluez_is_leaving(run->bluez, path)) {
                /* It must have heard from us first: its own part of the end is then done. */
                bluez_sync(run->bluez);
                d = bluez_device(run->bluez, path);
                if (d && d->connected && d->paired && kernel_disconnect(d) >= 0)
                        print_verbose("ending the connection");
        }
        (void) sd_event_now(run->event, CLOCK_MONOTONIC, &now);
        until = now + LEAVE_USEC;
        while (path && bluez_is_leaving(run->bluez, path) && now < until) {
                if (sd_event_run(run->event, until - now) < 0 ||
                    sd_event_now(run->event, CLOCK_MONOTONIC, &now) < 0)
                        break;
        }
}

static const char *result_text(const Run *run) {
        switch (run->code) {
        case EXIT_GOOD:
                if (run->paired)
                        return run->options->mode == MODE_FORCE_REPAIR
                                               ? "Re-paired — ready to connect"
                                               : "Bond established — ready to connect";
                return "Bond verified — ready to connect";
        case EXIT_NO_BOND:
                return "No valid bond present";
        default:
                return NULL;
        }
}

Exit run_bond(sd_event *event, Bluez *bluez, const Options *options) {
        Run run = {
                        .event = event,
                        .bluez = bluez,
                        .options = options,
                        .shown = BOND_NONE,
                        .pin = 1,
        };
        const BleOptions ble = {
                        .adapter = options->adapter,
                        .check_only = options->mode == MODE_CHECK_ONLY,
                        .power_on = options->mode != MODE_CHECK_ONLY,
                        .repair = options->mode == MODE_FORCE_REPAIR,
                        .tries = options->mode == MODE_CHECK_ONLY ? 2 : TRIES,
                        .connect_usec = CONNECT_USEC,
                        .search_usec = SEARCH_USEC,
        };
        int r;

        run.bond = bond_new();
        bond_set_source(run.bond, get_passkey, &run);
        bond_set_observer(run.bond, on_bond, &run);
        r = watch_signals(&run);
        if (r >= 0)
                r = link_new_ble(bluez, run.bond, options->target, &ble, &handler, &run, &run.link);
        if (r >= 0) {
                print_bond(&run);
                r = link_open(run.link);
        }
        while (r >= 0 && !run.over)
                r = sd_event_run(event, UINT64_MAX);
        if (r < 0) {
                print_error("%s", g_strerror(-r));
                run.code = EXIT_FAILED;
        }

        sd_event_source_disable_unref(run.timer);
        /* bluetoothd takes 2 s for the end of a connection. Who only wanted to know need not wait for the
         * answer; who goes on to connect must. */
        if (run.link && !ble.check_only)
                leave(&run);
        (void) print_result(run.code, bond_state(run.bond), bond_reason(run.bond), result_text(&run));
        if (run.link)
                leave(&run);
        bluez_settle(bluez);
        explicit_bzero(&run.passkey, sizeof(run.passkey));
        bond_free(run.bond);
        for (size_t i = 0; i < ELEMENTSOF(run.signals); i++)
                sd_event_source_disable_unref(run.signals[i]);
        return run.code;
}
