/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bond-tool.h"
#include "macros.h"

/* A running meshcored owns its radio: it is asked, and its link is left alone. */

#define NAME       "org.meshcored1"
#define PAIRING    NAME ".Pairing"
#define RADIO      NAME ".Radio"
#define ERROR_NAME NAME ".Error."
#define FIND_USEC  (5 * USEC_PER_SEC)
#define PAIR_USEC  (120 * USEC_PER_SEC)

G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_bus_message, sd_bus_message_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_bus, sd_bus_flush_close_unref)

/* A property of type s that an interface has, from a{sv} at which m stands. */
static int read_texts(sd_bus_message *m, const char *const *names, char **values, size_t n) {
        const char *name, *text, *type;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &name);
                if (r >= 0)
                        r = sd_bus_message_peek_type(m, NULL, &type);
                if (r < 0)
                        return r;

                for (size_t i = 0; i < n; i++)
                        if (strcmp(name, names[i]) == 0 && strcmp(type, "s") == 0) {
                                r = sd_bus_message_read(m, "v", "s", &text);
                                if (r < 0)
                                        return r;
                                g_free(values[i]);
                                values[i] = g_strdup(text);
                                name = "";
                        }
                if (*name)
                        r = sd_bus_message_skip(m, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

typedef struct Found {
        char *path, *state, *bond, *reason;
} Found;

static void found_clear(Found *found) {
        g_free(found->path);
        g_free(found->state);
        g_free(found->bond);
        g_free(found->reason);
        *found = (Found){};
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Found, found_clear)

/* On Bluetooth a radio goes by the name of its node with a prefix (wire reference 1.3), which people leave
 * out. */
static bool is_name(const char *name, const char *target) {
        static const char prefix[] = "MeshCore-";

        if (!name || !*name)
                return false;
        return strcmp(name, target) == 0 ||
               (g_str_has_prefix(target, prefix) && strcmp(name, target + strlen(prefix)) == 0);
}

/* The interfaces of one object; > 0 when it is the radio. */
static int read_object(sd_bus_message *m, const char *target, Found *ret) {
        static const char *const radio_names[] = {"Address", "State", "Name"};
        static const char *const bond_names[] = {"BondState", "Reason"};
        char *radio[ELEMENTSOF(radio_names)] = {}, *bond[ELEMENTSOF(bond_names)] = {};
        const char *path, *interface;
        bool match;
        int r;

        r = sd_bus_message_read(m, "o", &path);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "{sa{sv}}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sa{sv}")) > 0) {
                r = sd_bus_message_read(m, "s", &interface);
                if (r < 0)
                        break;
                if (strcmp(interface, RADIO) == 0)
                        r = read_texts(m, radio_names, radio, ELEMENTSOF(radio));
                else if (strcmp(interface, PAIRING) == 0)
                        r = read_texts(m, bond_names, bond, ELEMENTSOF(bond));
                else
                        r = sd_bus_message_skip(m, "a{sv}");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);

        match = r >= 0 && bond[0] && radio[0] &&
                (g_ascii_strcasecmp(radio[0], target) == 0 || strcmp(path, target) == 0 ||
                 is_name(radio[2], target));
        if (match)
                *ret = (Found){
                                .path = g_strdup(path),
                                .state = g_strdup(radio[1] ?: ""),
                                .bond = g_strdup(bond[0]),
                                .reason = g_strdup(bond[1] ?: ""),
                };
        for (size_t i = 0; i < ELEMENTSOF(radio); i++)
                g_free(radio[i]);
        for (size_t i = 0; i < ELEMENTSOF(bond); i++)
                g_free(bond[i]);
        return r < 0 ? r : match;
}

static int find(sd_bus *bus, const char *target, Found *ret) {
        g_autoptr(sd_bus_message) m = NULL, reply = NULL;
        int r;

        /* One that does not run is not started. */
        r = sd_bus_message_new_method_call(bus, &m, NAME, "/org/meshcored1",
                                           "org.freedesktop.DBus.ObjectManager", "GetManagedObjects");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_call(bus, m, FIND_USEC, NULL, &reply);
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}");
        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}")) > 0) {
                r = read_object(reply, target, ret);
                if (r != 0)
                        return r;
                r = sd_bus_message_exit_container(reply);
        }
        return r;
}

static BondState state_from_string(const char *text) {
        for (int i = 0; i < _BOND_STATE_MAX; i++)
                if (strcmp(bond_state_to_string((BondState) i), text) == 0)
                        return (BondState) i;
        return _BOND_STATE_INVALID;
}

static BondReason reason_from_string(const char *text) {
        for (int i = 0; i < _BOND_REASON_MAX; i++)
                if (strcmp(bond_reason_to_string((BondReason) i), text) == 0)
                        return (BondReason) i;
        return BOND_REASON_NONE;
}

/* Reads only, as --check-only must. */
static Exit check(const Found *found) {
        BondState state = state_from_string(found->bond);
        BondReason reason = reason_from_string(found->reason);

        if (state == BOND_NONE || state == BOND_NEEDS_PIN)
                print_line("Bond", "not found — pairing required");
        else
                print_line("Bond", "found (%s)", found->bond);
        if (state == BOND_VERIFIED && strcmp(found->state, "ready") == 0) {
                print_line("Verify", "meshcored talks to the radio");
                return (Exit) print_result(EXIT_GOOD, state, reason, "Bond verified — ready to connect");
        }
        if (state == BOND_NONE || state == BOND_STALE || state == BOND_NEEDS_PIN)
                return (Exit) print_result(EXIT_NO_BOND, state, reason, "No valid bond present");

        print_error("meshcored does not reach the radio now");
        return (Exit) print_result(EXIT_FAILED, state, reason, NULL);
}

static int call(sd_bus *bus, const Found *found, const Options *options, const char *member, bool pair,
                sd_bus_error *error, char **ret_text) {
        g_autoptr(sd_bus_message) m = NULL, reply = NULL;
        char passkey[7];
        const char *text;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, NAME, found->path, PAIRING, member);
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(m, true);
        if (r >= 0 && pair) {
                (void) sd_bus_message_sensitive(m);
                (void) g_snprintf(passkey, sizeof(passkey), "%06u", options->passkey % (PASSKEY_MAX + 1));
                r = options->has_passkey ? sd_bus_message_append(m, "a{sv}", 1, "Passkey", "s", passkey)
                                         : sd_bus_message_append(m, "a{sv}", 0);
                explicit_bzero(passkey, sizeof(passkey));
        }
        if (r >= 0)
                r = sd_bus_call(bus, m, PAIR_USEC, error, &reply);
        if (r >= 0 && pair) {
                r = sd_bus_message_read(reply, "s", &text);
                if (r >= 0)
                        *ret_text = g_strdup(text);
        }
        return r;
}

static Exit ask(sd_bus *bus, const Found *found, const Options *options) {
        __attribute__((cleanup(sd_bus_error_free))) sd_bus_error error = SD_BUS_ERROR_NULL;
        g_autofree char *result = NULL;
        g_auto(Found) now = {};
        bool forget = options->mode == MODE_FORGET || options->mode == MODE_FORCE_REPAIR;
        int r = 0;

        if (forget)
                r = call(bus, found, options, "Forget", false, &error, NULL);
        if (options->mode == MODE_FORCE_REPAIR && sd_bus_error_has_name(&error, ERROR_NAME "NotFound")) {
                sd_bus_error_free(&error);
                r = 0;
        }
        if (r >= 0 && options->mode != MODE_FORGET)
                r = call(bus, found, options, "Pair", true, &error, &result);

        if (r < 0) {
                print_error("meshcored: %s", error.message ?: g_strerror(-r));
                (void) find(bus, options->target, &now);
                return (Exit) print_result(EXIT_FAILED, now.bond ? state_from_string(now.bond) : BOND_NONE,
                                           now.reason ? reason_from_string(now.reason) : BOND_REASON_STACK,
                                           NULL);
        }
        if (options->mode == MODE_FORGET)
                return (Exit) print_result(EXIT_GOOD, BOND_NONE, BOND_REASON_NONE, "Bond removed");
        if (options->mode == MODE_FORCE_REPAIR)
                return (Exit) print_result(EXIT_GOOD, BOND_VERIFIED, BOND_REASON_NONE,
                                           "Re-paired — ready to connect");
        return (Exit) print_result(EXIT_GOOD, BOND_VERIFIED, BOND_REASON_NONE,
                                   g_strcmp0(result, "already-bonded") == 0
                                                   ? "Bond verified — ready to connect"
                                                   : "Bond established — ready to connect");
}

int daemon_try(const Options *options, Exit *ret_exit) {
        g_autoptr(sd_bus) bus = NULL;
        g_auto(Found) found = {};

        if (!options->target || sd_bus_open_system(&bus) < 0 || find(bus, options->target, &found) <= 0)
                return 0;

        print_line("Daemon", "meshcored has this radio (%s)", found.state);
        print_line("Device", "%s", options->target);
        print_fact("Device", options->target);
        print_fact("Daemon", found.state);
        *ret_exit = options->mode == MODE_CHECK_ONLY ? check(&found) : ask(bus, &found, options);
        return 1;
}
