/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <signal.h>
#include <string.h>

#include "autobus.h"
#include "macros.h"
#include "watch.h"

#define MATCH_SIGNALS "type='signal',sender='" CTL_SERVICE "',path_namespace='" CTL_ROOT "'"
#define MATCH_OWNER                                                                 \
        "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus'," \
        "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" CTL_SERVICE "'"

struct Watch {
        Client *client;
        sd_event *event;
        const WatchHandlers *handlers;
        void *userdata;
        char *owner; /* unique name of the daemon; NULL while it is away */
        bool ended;
        ExitCode code;
};

void watch_end(Watch *w, ExitCode code) {
        if (w->ended)
                return;
        w->ended = true;
        w->code = code;
        (void) sd_event_exit(w->event, 0);
}

bool watch_has_ended(const Watch *w) {
        return w->ended;
}

sd_event *watch_event(Watch *w) {
        return w->event;
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Watch *w = userdata;
        const char *sender = sd_bus_message_get_sender(m);

        /* A signal sent to us alone can come from anybody. */
        if (!w->ended && w->owner && sender && strcmp(sender, w->owner) == 0)
                w->handlers->signal(w, m, w->userdata);
        return 0;
}

static void owner_came(Watch *w, const char *owner) {
        g_free(w->owner);
        w->owner = g_strdup(owner);
        w->handlers->came(w, w->userdata);
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Watch *w = userdata;
        const char *name, *old, *new;

        if (w->ended || sd_bus_message_read(m, "sss", &name, &old, &new) < 0)
                return 0;

        if (!*new) {
                g_clear_pointer(&w->owner, g_free);
                if (w->handlers->went)
                        w->handlers->went(w, w->userdata);
                else
                        ctl_note("meshcored went away; waiting for it to come back");
        } else if (g_strcmp0(new, w->owner) != 0) {
                if (!w->handlers->went)
                        ctl_note("meshcored is back");
                owner_came(w, new);
        }
        return 0;
}

static int on_interrupt(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Watch *w = userdata;

        if (info->ssi_signo == SIGINT && w->handlers->interrupt && w->handlers->interrupt(w, w->userdata))
                return 0;
        watch_end(w, w->handlers->interrupted);
        return 0;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        watch_end(userdata, ctl_fail(EXIT_CODE_UNREACHABLE, "the bus closed the connection"));
        return 0;
}

static int prepare(Watch *w) {
        sd_bus *bus = client_bus(w->client);
        sigset_t set;
        int r;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGINT);
        (void) sigaddset(&set, SIGTERM);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        client_set_interruptible(w->client, w->handlers->interrupted);

        r = sd_event_new(&w->event);
        if (r >= 0)
                r = sd_event_add_signal(w->event, NULL, SIGINT, on_interrupt, w);
        if (r >= 0)
                r = sd_event_add_signal(w->event, NULL, SIGTERM, on_interrupt, w);
        if (r >= 0)
                r = sd_bus_add_match(bus, NULL, MATCH_OWNER, on_owner, w);
        if (r >= 0)
                r = sd_bus_add_match(bus, NULL, MATCH_SIGNALS, on_signal, w);
        if (r >= 0)
                r = sd_bus_match_signal(bus, NULL, "org.freedesktop.DBus.Local", NULL,
                                        "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, w);
        if (r >= 0)
                r = sd_bus_attach_event(bus, w->event, SD_EVENT_PRIORITY_NORMAL);
        return r;
}

/* Empty while nobody has the name. */
static int find_owner(Client *client, char **ret) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        const char *owner;
        int r;

        r = sd_bus_call_method(client_bus(client), "org.freedesktop.DBus", "/org/freedesktop/DBus",
                               "org.freedesktop.DBus", "GetNameOwner", NULL, &reply, "s", CTL_SERVICE);
        if (r >= 0)
                r = sd_bus_message_read(reply, "s", &owner);
        if (r < 0)
                return r;

        *ret = g_strdup(owner);
        return 0;
}

static int follow(Watch *w) {
        g_autofree char *owner = NULL;
        int r;

        r = prepare(w);
        if (r < 0)
                return r;

        /* Asked after the subscription: who comes later is signalled. */
        if (find_owner(w->client, &owner) >= 0)
                owner_came(w, owner);
        return w->ended ? 0 : sd_event_loop(w->event);
}

ExitCode watch_run(Client *client, const WatchHandlers *handlers, void *userdata) {
        Watch w = {.client = client, .handlers = handlers, .userdata = userdata};
        ExitCode code;
        int r;

        /* The bus may start the daemon now, but not later: who stops it then means it. */
        code = client_call(client, CALL_DEFAULT, NULL, CTL_ROOT, "org.freedesktop.DBus.Peer", "Ping", NULL);
        if (code != EXIT_CODE_OK)
                return code;
        client_set_autostart(client, false);

        r = follow(&w);
        if (r < 0 && !w.ended)
                w.code = ctl_fail(EXIT_CODE_FAILED, "cannot follow the daemon: %s", g_strerror(-r));

        (void) sd_bus_detach_event(client_bus(client));
        sd_event_unref(w.event);
        g_free(w.owner);
        return w.code;
}
