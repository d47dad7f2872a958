/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "control-socket.h"
#include "log.h"
#include "macros.h"
#include "simulator.h"

static const char summary[] = "A virtual MeshCore companion radio with a small mesh behind it.";

static const char description[] =
                "Examples:\n"
                "  meshcore-sim --tcp 127.0.0.1:5000\n"
                "      a radio on TCP, as a board with Wi-Fi; anything that speaks to such\n"
                "      a board can be pointed at it\n"
                "  meshcore-sim --pty /tmp/radio --firmware 1.9.0\n"
                "      an older radio on a serial line\n"
                "  meshcore-sim --tcp 127.0.0.1:0 --control /tmp/control\n"
                "      a free port, told on standard output, and a socket for commands:\n"
                "      echo '{\"cmd\":\"text\",\"from\":\"Anna\",\"text\":\"hi\"}' | nc -NU /tmp/control\n"
                "\n"
                "Without a scenario the mesh has five contacts and some more, and one of them\n"
                "writes as soon as an app is through with its start. See meshcore-sim(1).";

static char *option_tcp, *option_pty, *option_serial, *option_vradio, *option_ble, *option_firmware,
                *option_scenario, *option_replay, *option_control;
static gint option_radio;
static gint64 option_seed = 1;
static double option_speed = 1.0;
static gboolean option_verbose, option_version;

static const GOptionEntry entries[] = {
                {"tcp", 0, 0, G_OPTION_ARG_STRING, &option_tcp,
                 "Listen as a board with Wi-Fi (port 0: a free one)", "ADDRESS:PORT"},
                {"pty", 0, 0, G_OPTION_ARG_FILENAME, &option_pty, "Be a serial line; LINK will lead to it",
                 "LINK"},
                {"serial", 0, 0, G_OPTION_ARG_FILENAME, &option_serial,
                 "Be a radio at the end of this serial port, or of this socket of a virtual machine", "PATH"},
                {"vradio", 0, 0, G_OPTION_ARG_FILENAME, &option_vradio,
                 "Be a radio of the lab's emulated Bluetooth controller", "SOCKET"},
                {"radio", 0, 0, G_OPTION_ARG_INT, &option_radio, "Which one of its radios (default 0)", "N"},
                {"ble", 0, 0, G_OPTION_ARG_STRING, &option_ble, "Bluetooth as on esp32 (default) or nrf52",
                 "FAMILY"},
                {"firmware", 0, 0, G_OPTION_ARG_STRING, &option_firmware,
                 "1.7.4, 1.9.0, 1.14.1 or 1.17.1 (default)", "VERSION"},
                {"scenario", 0, 0, G_OPTION_ARG_FILENAME, &option_scenario, "The mesh and what happens in it",
                 "FILE"},
                {"replay", 0, 0, G_OPTION_ARG_FILENAME, &option_replay, "Be the radio of a recorded session",
                 "TRANSCRIPT"},
                {"control", 0, 0, G_OPTION_ARG_FILENAME, &option_control, "Take commands on this socket",
                 "SOCKET"},
                {"seed", 0, 0, G_OPTION_ARG_INT64, &option_seed, "Of everything random", "N"},
                {"speed", 0, 0, G_OPTION_ARG_DOUBLE, &option_speed, "The mesh is this many times faster",
                 "X"},
                {"verbose", 'v', 0, G_OPTION_ARG_NONE, &option_verbose, "Show every frame on standard error",
                 NULL},
                {"version", 0, 0, G_OPTION_ARG_NONE, &option_version, "Show the version", NULL},
                G_OPTION_ENTRY_NULL,
};

#define EXIT_USAGE 2

static int fail_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int fail_usage(const char *format, ...) {
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        fprintf(stderr, "meshcore-sim: %s; see meshcore-sim --help\n", text);
        return -EINVAL;
}

static int parse_options(int argc, char **argv, SimulatorConfig *ret) {
        g_autoptr(GOptionContext) context = g_option_context_new(NULL);
        g_autoptr(GError) error = NULL;

        g_option_context_set_summary(context, summary);
        g_option_context_set_description(context, description);
        g_option_context_add_main_entries(context, entries, NULL);
        if (!g_option_context_parse(context, &argc, &argv, &error))
                return fail_usage("%s", error->message);
        if (argc > 1)
                return fail_usage("%s: there are only options", argv[1]);
        if (option_version)
                return 0;
        if (!!option_tcp + !!option_pty + !!option_serial + !!option_vradio != 1)
                return fail_usage("give one of --tcp ADDRESS:PORT, --pty LINK, --serial PATH and --vradio "
                                  "SOCKET");
        if (option_ble && !g_str_equal(option_ble, "esp32") && !g_str_equal(option_ble, "nrf52"))
                return fail_usage("--ble is esp32 or nrf52");
        if (option_radio < 0)
                return fail_usage("--radio is a number from 0");
        if (option_scenario && option_replay)
                return fail_usage("--scenario and --replay exclude each other");
        if (!(option_speed > 0))
                return fail_usage("--speed is a number above 0");

        *ret = (SimulatorConfig){
                        .tcp = option_tcp,
                        .pty = option_pty,
                        .serial = option_serial,
                        .vradio = option_vradio,
                        .radio = (unsigned) option_radio,
                        .ble = g_strcmp0(option_ble, "nrf52") == 0 ? PORT_BLE_NRF52 : PORT_BLE_ESP32,
                        .firmware = engine_firmware_from_string(option_firmware ?: "1.17.1"),
                        .scenario = option_scenario,
                        .replay = option_replay,
                        .seed = (uint64_t) option_seed,
                        .speed = option_speed,
                        .verbose = option_verbose,
        };
        if (ret->firmware < 0)
                return fail_usage("--firmware is 1.7.4, 1.9.0, 1.14.1 or 1.17.1");

        return 0;
}

static int setup_signals(sd_event *event) {
        static const int signals[] = {SIGTERM, SIGINT};
        sigset_t mask;
        int r;

        (void) signal(SIGPIPE, SIG_IGN);
        (void) sigemptyset(&mask);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaddset(&mask, signals[i]);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);

        for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
                r = sd_event_add_signal(event, NULL, signals[i], NULL, NULL);
                if (r < 0)
                        return log_error_errno(r, "Cannot handle signals");
        }

        return 0;
}

static int run(const SimulatorConfig *config) {
        __attribute__((cleanup(sd_event_unrefp))) sd_event *event = NULL;
        g_autoptr(Simulator) sim = NULL;
        g_autoptr(ControlSocket) control = NULL;
        int r;

        r = sd_event_default(&event);
        if (r < 0)
                return log_error_errno(r, "Cannot make an event loop");
        r = setup_signals(event);
        if (r < 0)
                return r;

        r = simulator_new(event, config, &sim);
        if (r < 0)
                return r;
        if (option_control) {
                r = control_socket_new(event, option_control, sim, &control);
                if (r < 0)
                        return r;
        }

        if (printf("listening on %s\n", simulator_name(sim)) < 0 || fflush(stdout) != 0)
                return log_error_errno(errno, "Cannot say where");

        r = sd_event_loop(event);
        return r < 0 ? log_error_errno(r, "The event loop failed") : 0;
}

int main(int argc, char **argv) {
        SimulatorConfig config = {};

        (void) setlocale(LC_CTYPE, "");
        log_setup(LOG_TARGET_TERMINAL);
        if (parse_options(argc, argv, &config) < 0)
                return EXIT_USAGE;
        if (option_version) {
                (void) puts("meshcore-sim " MESHCORED_VERSION);
                return EXIT_SUCCESS;
        }

        return run(&config) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
