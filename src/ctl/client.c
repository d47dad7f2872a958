/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "autobus.h"
#include "client.h"
#include "macros.h"

struct Client {
        sd_bus *bus;
        BusKind kind;
        bool autostart;
        bool interruptible;
};

/* A signal handler has nothing else to read from. */
static volatile sig_atomic_t interrupt_code;
static void (*volatile end_hook)(void);

static const char *kind_name(BusKind kind) {
        return kind == BUS_SESSION ? "session" : "system";
}

ExitCode client_open(const CtlOptions *options, Client **ret) {
        g_autoptr(Client) c = g_new0(Client, 1);
        int r;

        c->kind = options->bus;
        c->autostart = true;

        r = c->kind == BUS_SESSION ? sd_bus_open_user(&c->bus) : sd_bus_open_system(&c->bus);
        if (r < 0)
                return ctl_fail(EXIT_CODE_UNREACHABLE, "cannot connect to the %s bus: %s%s",
                                kind_name(c->kind), g_strerror(-r),
                                c->kind == BUS_SESSION
                                                ? " (is DBUS_SESSION_BUS_ADDRESS or XDG_RUNTIME_DIR set?)"
                                                : " (is dbus running? for your own bus: --session)");

        /* Where there is a polkit agent, it may ask the person at the keyboard. */
        (void) sd_bus_set_allow_interactive_authorization(c->bus, isatty(STDIN_FILENO));

        *ret = g_steal_pointer(&c);
        return EXIT_CODE_OK;
}

Client *client_free(Client *c) {
        if (!c)
                return NULL;

        sd_bus_flush_close_unref(c->bus);
        g_free(c);
        return NULL;
}

sd_bus *client_bus(Client *c) {
        return c->bus;
}

void client_set_autostart(Client *c, bool autostart) {
        c->autostart = autostart;
}

ExitCode client_new_call(Client *c, const char *path, const char *interface, const char *member,
                         sd_bus_message **ret) {
        _cleanup_message_ sd_bus_message *call = NULL;
        int r;

        r = sd_bus_message_new_method_call(c->bus, &call, CTL_SERVICE, path, interface, member);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(call, c->autostart);
        if (r < 0)
                return ctl_fail(EXIT_CODE_FAILED, "cannot make a call of %s on %s: %s", member, path,
                                g_strerror(-r));

        *ret = g_steal_pointer(&call);
        return EXIT_CODE_OK;
}

static void on_interrupt(int signal) {
        void (*hook)(void) = end_hook;

        if (hook)
                hook();
        _exit(interrupt_code);
}

void client_set_end_hook(void (*hook)(void)) {
        end_hook = hook;
}

static void interrupt_set(sigset_t *ret) {
        (void) sigemptyset(ret);
        (void) sigaddset(ret, SIGINT);
        (void) sigaddset(ret, SIGTERM);
}

void client_set_interruptible(Client *c, ExitCode code) {
        struct sigaction action = {.sa_handler = on_interrupt};

        interrupt_code = (sig_atomic_t) code;
        (void) sigaction(SIGINT, &action, NULL);
        (void) sigaction(SIGTERM, &action, NULL);
        c->interruptible = true;
}

/* Nothing is printed while a call waits, so no line is cut by the end of the process. */
int client_send(Client *c, sd_bus_message *call, uint64_t timeout_usec, sd_bus_error *error,
                sd_bus_message **ret_reply) {
        sigset_t set;
        int r;

        if (!c->interruptible)
                return sd_bus_call(c->bus, call, timeout_usec, error, ret_reply);

        interrupt_set(&set);
        (void) sigprocmask(SIG_UNBLOCK, &set, NULL);
        r = sd_bus_call(c->bus, call, timeout_usec, error, ret_reply);
        (void) sigprocmask(SIG_BLOCK, &set, NULL);
        return r;
}

ExitCode client_call(Client *c, uint64_t timeout_usec, sd_bus_message **ret_reply, const char *path,
                     const char *interface, const char *member, const char *types, ...) {
        _cleanup_message_ sd_bus_message *call = NULL;
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        ExitCode code;
        va_list ap;
        int r;

        code = client_new_call(c, path, interface, member, &call);
        if (code != EXIT_CODE_OK)
                return code;

        va_start(ap, types);
        r = sd_bus_message_appendv(call, types ?: "", ap);
        va_end(ap);
        if (r < 0)
                return ctl_fail(EXIT_CODE_FAILED, "cannot make a call of %s: %s", member, g_strerror(-r));

        r = client_send(c, call, timeout_usec, &error, ret_reply);
        return r < 0 ? client_report(c, call, &error, r) : EXIT_CODE_OK;
}

/* -- errors ---------------------------------------------------------------- */

static const struct {
        const char *name;
        ExitCode code;
} known_errors[] = {
                {"org.freedesktop.DBus.Error.ServiceUnknown", EXIT_CODE_UNREACHABLE},
                {"org.freedesktop.DBus.Error.NameHasNoOwner", EXIT_CODE_UNREACHABLE},
                {"org.freedesktop.DBus.Error.NoReply", EXIT_CODE_UNREACHABLE},
                {"org.freedesktop.DBus.Error.Timeout", EXIT_CODE_UNREACHABLE},
                {"org.freedesktop.DBus.Error.TimedOut", EXIT_CODE_UNREACHABLE},
                {"org.freedesktop.DBus.Error.Disconnected", EXIT_CODE_UNREACHABLE},
                {"org.freedesktop.DBus.Error.NoServer", EXIT_CODE_UNREACHABLE},
                {"org.freedesktop.DBus.Error.AccessDenied", EXIT_CODE_REFUSED},
                {"org.freedesktop.DBus.Error.AuthFailed", EXIT_CODE_REFUSED},
                {"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", EXIT_CODE_REFUSED},
                {"org.freedesktop.DBus.Error.UnknownObject", EXIT_CODE_NOT_FOUND},
                {"org.freedesktop.DBus.Error.InvalidArgs", EXIT_CODE_USAGE},
                {CTL_ERROR_PREFIX "InvalidArguments", EXIT_CODE_USAGE},
                {CTL_ERROR_PREFIX "NotFound", EXIT_CODE_NOT_FOUND},
                {CTL_ERROR_PREFIX "NotConnected", EXIT_CODE_NOT_CONNECTED},
                {CTL_ERROR_PREFIX "NotReady", EXIT_CODE_NOT_CONNECTED},
                {CTL_ERROR_PREFIX "LinkLost", EXIT_CODE_NOT_CONNECTED},
                {CTL_ERROR_PREFIX "Timeout", EXIT_CODE_NOT_DELIVERED},
                {CTL_ERROR_PREFIX "Cancelled", EXIT_CODE_NOT_DELIVERED},
                {CTL_ERROR_PREFIX "RateLimited", EXIT_CODE_NOT_DELIVERED},
                {CTL_ERROR_PREFIX "LoginFailed", EXIT_CODE_REFUSED},
};

static bool activation_failed(const sd_bus_error *error) {
        return error->name && (g_str_has_prefix(error->name, "org.freedesktop.DBus.Error.Spawn.") ||
                               g_str_has_prefix(error->name, "org.freedesktop.systemd1."));
}

ExitCode client_exit_code(const sd_bus_error *error, int r) {
        for (size_t i = 0; error->name && i < ELEMENTSOF(known_errors); i++)
                if (strcmp(error->name, known_errors[i].name) == 0)
                        return known_errors[i].code;
        if (activation_failed(error))
                return EXIT_CODE_UNREACHABLE;
        if (error->name)
                return EXIT_CODE_FAILED;
        return r == -ENOTCONN || r == -ECONNRESET || r == -ETIMEDOUT || r == -EPIPE ? EXIT_CODE_UNREACHABLE
                                                                                    : EXIT_CODE_FAILED;
}

bool client_error_is_absence(const sd_bus_error *error, int r) {
        return client_exit_code(error, r) == EXIT_CODE_UNREACHABLE;
}

const char *config_place(BusKind kind) {
        return kind == BUS_SESSION ? "~/.config/meshcored/meshcored.conf, or the file of its --config"
                                   : "/etc/meshcored/meshcored.conf";
}

const char *reason_advice(const char *reason) {
        static const struct {
                const char *reason, *advice;
        } table[] = {
                        {"not-plugged", "plug the radio in"},
                        {"refused",
                         "check the address and port, the rights on a device, and that no other program "
                         "has the radio"},
                        {"unreachable", "check that the radio is switched on and in reach, and its address"},
                        {"lost", "the link broke; the daemon tries again by itself"},
                        {"timeout", "the radio does not answer: restart it, and check that it runs companion "
                                    "firmware"},
                        {"protocol", "what answers does not speak the companion protocol: check address and "
                                     "firmware"},
                        {"inhibited",
                         "another program holds the radio for itself; it comes back when that ends"},
                        {"storage-full",
                         "free space on the disk of the daemon's state directory; messages wait "
                         "in the radio until then"},
                        {"wrong-radio",
                         "another radio answers than PublicKey= names: check the configuration"},
                        {"duplicate",
                         "another section of the configuration reaches the same radio: remove one"},
                        {"taken-over",
                         "another client keeps taking the connection: close the app that uses the "
                         "radio"},
                        {"clock-ahead", "the clock of the radio is ahead and cannot be set back: restart the "
                                        "radio"},
                        {"needs-pin", "the radio asks for a PIN: meshcorectl pair"},
                        {"adapter-off", "the Bluetooth adapter is switched off: bluetoothctl power on"},
                        {"restarting", "the radio restarts, as somebody asked; it is back soon"},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (strcmp(reason, table[i].reason) == 0)
                        return table[i].advice;
        return "";
}

/* The radio that an object belongs to: its own path up to the identifier. */
static char *radio_of_path(const char *path) {
        static const char below[] = CTL_ROOT "/radio/";
        const char *end;

        if (!path || !g_str_has_prefix(path, below))
                return NULL;
        end = strchr(path + strlen(below), '/');
        return end ? g_strndup(path, (gsize) (end - path)) : g_strdup(path);
}

/* Why the radio is away, for the end of an error line: "" or "; …". */
static char *radio_advice(Client *c, const char *path) {
        g_autofree char *radio = radio_of_path(path), *reason = NULL;
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;

        if (!radio || sd_bus_get_property_string(c->bus, CTL_SERVICE, radio, CTL_SERVICE ".Radio", "Reason",
                                                 &error, &reason) < 0)
                return g_strdup("");
        if (strcmp(reason, "none") == 0)
                return g_strdup("; see " CTL_NAME " status");
        return g_strdup_printf("; the reason is %s: %s", reason, reason_advice(reason));
}

static ExitCode report_absence(Client *c, const sd_bus_error *error, const char *message) {
        bool never_there = error->name &&
                           (strstr(error->name, "ServiceUnknown") || strstr(error->name, "NameHasNoOwner"));
        const char *start = c->kind == BUS_SESSION ? "start it: meshcored --session"
                                                   : "start it: systemctl start meshcored (a daemon on your "
                                                     "own bus: --session)";

        if (never_there)
                return ctl_fail(EXIT_CODE_UNREACHABLE, "meshcored is not running on the %s bus; %s",
                                kind_name(c->kind), start);
        if (activation_failed(error))
                return ctl_fail(EXIT_CODE_UNREACHABLE,
                                "meshcored did not start: %s; see: journalctl -u meshcored", message);
        return ctl_fail(EXIT_CODE_UNREACHABLE, "no answer from meshcored: %s", message);
}

ExitCode client_report(Client *c, sd_bus_message *call, const sd_bus_error *error, int r) {
        const char *message = error->message && *error->message ? error->message : g_strerror(-r);
        ExitCode code = client_exit_code(error, r);
        g_autofree char *advice = NULL;

        switch (code) {
        case EXIT_CODE_UNREACHABLE:
                return report_absence(c, error, message);
        case EXIT_CODE_REFUSED:
                if (c->kind == BUS_SESSION)
                        return ctl_fail(code, "refused: %s", message);
                return ctl_fail(code,
                                "refused: %s; members of the group meshcore may use the daemon (sudo adduser "
                                "%s "
                                "meshcore, then log in again), and some actions need root",
                                message, g_get_user_name());
        case EXIT_CODE_NOT_CONNECTED:
                advice = radio_advice(c, call ? sd_bus_message_get_path(call) : NULL);
                return ctl_fail(code, "%s%s", message, advice);
        default:
                if (error->name && strstr(error->name, "UnknownMethod"))
                        return ctl_fail(code,
                                        "the running daemon does not know %s: restart it after the upgrade",
                                        call ? sd_bus_message_get_member(call) : "this call");
                return ctl_fail(code, "%s", message);
        }
}
