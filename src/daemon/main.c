/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "arguments.h"
#include "bus.h"
#include "configuration.h"
#include "log.h"
#include "macros.h"
#include "manager.h"
#include "state.h"
#include "store.h"
#include "watchdog.h"

#define EXIT_USAGE 2 /* meshcored(8), Exit status */
#define EXIT_NEWER 3

typedef struct Daemon {
        Arguments arguments;
        sd_event *event;
        char *state_dir; /* that is in use */
        Store *store;
        Manager *manager;
        sd_event_source *watchdog;
        Bus *bus;
        bool announced; /* READY=1 was sent */
        bool stopping;  /* a signal asked for it */
} Daemon;

static void daemon_clear(Daemon *d) {
        /* Callers get their answers while the objects are still there. */
        d->bus = bus_free(d->bus);
        d->watchdog = sd_event_source_disable_unref(d->watchdog);
        d->manager = manager_free(d->manager);
        d->store = store_close(d->store);
        if (d->arguments.storage == STORAGE_VOLATILE)
                state_remove(d->state_dir);
        g_clear_pointer(&d->state_dir, g_free);
        d->event = sd_event_unref(d->event);
        arguments_clear(&d->arguments);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Daemon, daemon_clear)

static void announce(Daemon *d) {
        guint n = manager_radios(d->manager)->len;

        (void) sd_notifyf(false, "READY=1\nSTATUS=%s; %u radio%s configured.",
                          bus_is_ready(d->bus) ? "On the bus as " BUS_NAME : "Waiting for the bus", n,
                          n == 1 ? "" : "s");
        d->announced = true;
}

static void on_bus_ready(Bus *bus, void *userdata) {
        announce(userdata);
}

/* The command line goes before the file. */
static void apply_log_level(Daemon *d, const Configuration *configuration) {
        if (d->arguments.log_level >= 0)
                log_set_level(d->arguments.log_level);
        else
                log_set_level(configuration->log_level >= 0 ? configuration->log_level : LOG_INFO);
}

static int configure(Daemon *d) {
        g_autoptr(Configuration) configuration = NULL;
        bool discover;
        int r;

        r = configuration_load(d->arguments.config, d->arguments.config_given, &configuration);
        if (r < 0)
                return log_error_errno(r, "Cannot read %s", d->arguments.config);

        apply_log_level(d, configuration);
        configuration_log_problems(configuration);

        discover = configuration->discover >= 0 ? configuration->discover > 0
                                                : configuration->radios->len == 0;
        r = manager_apply(d->manager, g_steal_pointer(&configuration->radios));
        manager_set_discover(d->manager, discover);
        manager_set_retention(d->manager, configuration->history_age_usec, configuration->history_messages);
        if (r < 0)
                return log_error_errno(r, "Cannot take over all of the configuration");
        return 0;
}

static void reload(Manager *manager, void *userdata) {
        Daemon *d = userdata;

        (void) configure(d); /* which told what is wrong; what runs, goes on */
        manager_resume(d->manager);
        if (d->announced)
                announce(d);
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Daemon *d = userdata;
        struct timespec now = {};

        /* For services of Type=notify-reload; others take no notice. */
        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        (void) sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reading the configuration.",
                          (uint64_t) now.tv_sec * USEC_PER_SEC + (uint64_t) now.tv_nsec / 1000);

        log_info("Reading the configuration again");
        if (!d->stopping)
                manager_settle(d->manager, reload, d);
        return 0;
}

static void stop(Manager *manager, void *userdata) {
        (void) sd_event_exit(((Daemon *) userdata)->event, 0);
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Daemon *d = userdata;

        log_info("Stopping on SIG%s", sigabbrev_np((int) info->ssi_signo) ?: "?");

        /* Who asks twice does not want to wait; and there may be nothing to stop yet. */
        if (d->stopping || !d->manager)
                return sd_event_exit(d->event, 0);

        d->stopping = true;
        manager_settle(d->manager, stop, d);
        return 0;
}

static int watch_signals(Daemon *d) {
        static const struct {
                int number;
                sd_event_signal_handler_t handler;
        } signals[] = {{SIGTERM, on_stop}, {SIGINT, on_stop}, {SIGHUP, on_reload}};
        sigset_t mask;
        int r;

        (void) sigemptyset(&mask);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaddset(&mask, signals[i].number);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        (void) signal(SIGPIPE, SIG_IGN);

        for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
                r = sd_event_add_signal(d->event, NULL, signals[i].number, signals[i].handler, d);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int open_store(Daemon *d) {
        int r;

        r = state_prepare(d->arguments.storage, d->arguments.state_dir, &d->state_dir);
        if (r < 0)
                return r;

        return store_open(d->state_dir, &d->store);
}

static int start(Daemon *d) {
        int r;

        r = sd_event_default(&d->event);
        if (r < 0)
                return log_error_errno(r, "Cannot make an event loop");
        r = watch_signals(d);
        if (r < 0)
                return log_error_errno(r, "Cannot watch for signals");
        r = open_store(d);
        if (r < 0)
                return r;
        r = manager_new(d->event, d->store, &d->manager);
        if (r < 0)
                return log_error_errno(r, "Cannot set up the radios");
        r = watchdog_new(d->event, d->manager, &d->watchdog);
        if (r < 0)
                return log_error_errno(r, "Cannot serve the watchdog");
        d->bus = bus_new(d->event, d->manager, d->arguments.session ? BUS_SESSION : BUS_SYSTEM);
        bus_set_ready(d->bus, on_bus_ready, d);

        /* After the bus, which wants to see each radio come. */
        return configure(d);
}

static int run(Daemon *d) {
        int r;

        r = start(d);
        if (r < 0)
                return r;

        r = sd_event_loop(d->event);
        (void) sd_notify(false, "STOPPING=1\nSTATUS=Stopping.");
        if (r < 0)
                return log_error_errno(r, "The event loop failed");
        return 0;
}

/* -- what ends at once ------------------------------------------------------- */

static int check_store(const char *path) {
        uint64_t n;
        int r;

        r = store_check_file(path, &n);
        if (r >= 0)
                printf("%s: %" PRIu64 " messages, nothing wrong\n", path, n);
        return r;
}

static int restore(Daemon *d) {
        const char *dir = d->arguments.state_dir;
        g_autofree char *kept = NULL;
        uint64_t n;
        int r;

        r = store_restore(dir, d->arguments.restore, &n, &kept);
        if (r < 0)
                return r;

        printf("%" PRIu64 " messages are in %s", n, dir);
        if (kept)
                printf(", those of before are kept as %s", kept);
        printf("\n");
        return 0;
}

static int exit_status(int r) {
        if (r == -EPROTONOSUPPORT)
                return EXIT_NEWER;
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char *argv[]) {
        g_auto(Daemon) d = {};
        int r;

        /* A tree of thousands of objects is a message of megabytes: it goes back to the system with the
         * message. Left alone, the C library would learn to keep as much for the next one. */
        (void) mallopt(M_MMAP_THRESHOLD, 128 * 1024);

        /* What we write holds private messages. */
        (void) umask(0077);
        log_setup(LOG_TARGET_AUTO);

        r = arguments_parse(argc, argv, &d.arguments);
        if (r < 0)
                return EXIT_USAGE;
        if (r == 0)
                return EXIT_SUCCESS;

        if (d.arguments.log_level >= 0)
                log_set_level(d.arguments.log_level);
        if (d.arguments.config_given && access(d.arguments.config, F_OK) < 0) {
                (void) log_error_errno(errno, "Cannot read %s", d.arguments.config);
                return EXIT_USAGE;
        }

        if (d.arguments.check_store)
                return exit_status(check_store(d.arguments.check_store));
        if (d.arguments.restore)
                return exit_status(restore(&d));
        return exit_status(run(&d));
}
