/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "autobus.h"
#include "key.h"
#include "macros.h"
#include "objects.h"
#include "suggest.h"

#define IFACE_OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define IFACE_PROPERTIES     "org.freedesktop.DBus.Properties"

#define KEY_PREFIX_DIGITS_MIN 8
#define CANDIDATES_MAX        8

struct Objects {
        JsonObject *paths; /* path → interface → properties */
};

Objects *objects_free(Objects *o) {
        if (!o)
                return NULL;

        json_object_unref(o->paths);
        g_free(o);
        return NULL;
}

int objects_load_quietly(Client *client, uint64_t timeout_usec, sd_bus_error *error, Objects **ret) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        g_autoptr(JsonNode) node = NULL;
        Objects *o;
        int r;

        if (client_new_call(client, CTL_ROOT, IFACE_OBJECT_MANAGER, "GetManagedObjects", &call) !=
            EXIT_CODE_OK)
                return -ENOTCONN;
        r = client_send(client, call, timeout_usec, error, &reply);
        if (r >= 0)
                r = json_from_message(reply, &node);
        if (r >= 0 && !JSON_NODE_HOLDS_OBJECT(node))
                r = -EBADMSG;
        if (r < 0)
                return r;

        o = g_new0(Objects, 1);
        o->paths = json_object_ref(json_node_get_object(node));
        *ret = o;
        return 0;
}

ExitCode objects_load(Client *client, Objects **ret) {
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = objects_load_quietly(client, CALL_DEFAULT, &error, ret);
        return r < 0 ? client_report(client, NULL, &error, r) : EXIT_CODE_OK;
}

JsonObject *objects_get(Objects *o, const char *path, const char *interface) {
        return json_object(json_object(o->paths, path), interface);
}

/* -- signals --------------------------------------------------------------- */

/* Reads the arguments of a signal into an array, as many as there are. */
static int read_arguments(sd_bus_message *signal, JsonArray **ret) {
        g_autoptr(JsonArray) array = json_array_new();
        int r;

        r = sd_bus_message_rewind(signal, true);
        while (r >= 0 && (r = sd_bus_message_at_end(signal, true)) == 0) {
                JsonNode *value = NULL;

                r = json_from_message(signal, &value);
                if (r >= 0)
                        json_array_add_element(array, value);
        }
        if (r < 0)
                return r;

        *ret = g_steal_pointer(&array);
        return 0;
}

static void apply_added(Objects *o, JsonArray *arguments) {
        const char *path = json_array_get_string_element(arguments, 0);
        JsonObject *interfaces = json_array_get_object_element(arguments, 1);

        if (json_object(o->paths, path))
                json_merge(json_object(o->paths, path), interfaces);
        else
                json_object_set_object_member(o->paths, path, json_object_ref(interfaces));
}

static void apply_removed(Objects *o, JsonArray *arguments) {
        const char *path = json_array_get_string_element(arguments, 0);
        JsonArray *interfaces = json_array_get_array_element(arguments, 1);
        JsonObject *object = json_object(o->paths, path);

        for (guint i = 0; object && i < json_array_get_length(interfaces); i++) {
                const char *interface = json_array_get_string_element(interfaces, i);

                if (interface && json_object_has_member(object, interface))
                        json_object_remove_member(object, interface);
        }
        if (object && json_object_get_size(object) == 0)
                json_object_remove_member(o->paths, path);
}

void objects_apply(Objects *o, sd_bus_message *signal) {
        g_autoptr(JsonArray) arguments = NULL;
        bool added = sd_bus_message_is_signal(signal, IFACE_OBJECT_MANAGER, "InterfacesAdded") > 0;
        bool removed = sd_bus_message_is_signal(signal, IFACE_OBJECT_MANAGER, "InterfacesRemoved") > 0;
        bool changed = sd_bus_message_is_signal(signal, IFACE_PROPERTIES, "PropertiesChanged") > 0;

        if (added && sd_bus_message_has_signature(signal, "oa{sa{sv}}") > 0) {
                if (read_arguments(signal, &arguments) >= 0)
                        apply_added(o, arguments);
        } else if (removed && sd_bus_message_has_signature(signal, "oas") > 0) {
                if (read_arguments(signal, &arguments) >= 0)
                        apply_removed(o, arguments);
        } else if (changed && sd_bus_message_has_signature(signal, "sa{sv}as") > 0) {
                JsonObject *properties;

                if (read_arguments(signal, &arguments) < 0)
                        return;
                properties = objects_get(o, sd_bus_message_get_path(signal),
                                         json_array_get_string_element(arguments, 0));
                if (properties)
                        json_merge(properties, json_array_get_object_element(arguments, 1));
        }
}

/* -- lists ------------------------------------------------------------------ */

static int compare_text(const char *a, const char *b) {
        g_autofree char *fa = g_utf8_casefold(a, -1), *fb = g_utf8_casefold(b, -1);
        int r = strcmp(fa, fb);

        return r != 0 ? r : strcmp(a, b);
}

typedef struct SortKey {
        Objects *objects;
        const char *interface;
} SortKey;

static int compare_paths(gconstpointer a, gconstpointer b, gpointer userdata) {
        const SortKey *key = userdata;
        const char *pa = *(const char *const *) a, *pb = *(const char *const *) b;
        JsonObject *oa = objects_get(key->objects, pa, key->interface);
        JsonObject *ob = objects_get(key->objects, pb, key->interface);
        int r = 0;

        if (strcmp(key->interface, IFACE_CHANNEL) == 0) {
                int64_t sa = json_int(oa, "Slot"), sb = json_int(ob, "Slot");

                r = sa < sb ? -1 : sa > sb;
        } else
                r = compare_text(json_string(oa, "Name"), json_string(ob, "Name"));

        return r != 0 ? r : strcmp(pa, pb);
}

static int compare_radios(gconstpointer a, gconstpointer b, gpointer userdata) {
        const SortKey *key = userdata;

        return strcmp(objects_radio_id(key->objects, *(const char *const *) a),
                      objects_radio_id(key->objects, *(const char *const *) b));
}

static bool path_is_below(const char *path, const char *below) {
        size_t n;

        if (!below)
                return true;
        n = strlen(below);
        return strncmp(path, below, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

GPtrArray *objects_list(Objects *o, const char *below, const char *interface) {
        GPtrArray *list = g_ptr_array_new();
        SortKey key = {o, interface};
        JsonObjectIter iter;
        const char *path;
        JsonNode *node;

        json_object_iter_init(&iter, o->paths);
        while (json_object_iter_next(&iter, &path, &node))
                if (path_is_below(path, below) && objects_get(o, path, interface))
                        g_ptr_array_add(list, (char *) path);

        g_ptr_array_sort_with_data(list, strcmp(interface, IFACE_RADIO) == 0 ? compare_radios : compare_paths,
                                   &key);
        return list;
}

static char *radio_ids(Objects *o, GPtrArray *paths) {
        g_autoptr(GPtrArray) ids = g_ptr_array_new();

        for (guint i = 0; i < paths->len; i++)
                g_ptr_array_add(ids, (char *) objects_radio_id(o, paths->pdata[i]));
        g_ptr_array_add(ids, NULL);
        return g_strjoinv(", ", (char **) ids->pdata);
}

ExitCode objects_radios(Objects *o, const CtlOptions *options, GPtrArray **ret) {
        g_autoptr(GPtrArray) all = objects_list(o, NULL, IFACE_RADIO);
        g_autofree char *ids = NULL;

        if (!options->radio) {
                *ret = g_steal_pointer(&all);
                return EXIT_CODE_OK;
        }

        for (guint i = 0; i < all->len; i++)
                if (strcmp(objects_radio_id(o, all->pdata[i]), options->radio) == 0) {
                        *ret = g_ptr_array_new();
                        g_ptr_array_add(*ret, all->pdata[i]);
                        return EXIT_CODE_OK;
                }

        if (all->len == 0)
                return ctl_fail(EXIT_CODE_NOT_FOUND, "no radio %s: the daemon knows none", options->radio);
        ids = radio_ids(o, all);
        return ctl_fail(EXIT_CODE_NOT_FOUND, "no radio %s; there is: %s", options->radio, ids);
}

ExitCode objects_radio(Objects *o, const CtlOptions *options, const char **ret) {
        g_autoptr(GPtrArray) radios = NULL;
        g_autofree char *ids = NULL;
        ExitCode code;

        code = objects_radios(o, options, &radios);
        if (code != EXIT_CODE_OK)
                return code;

        if (radios->len == 0)
                return ctl_fail(EXIT_CODE_NOT_FOUND,
                                "the daemon knows no radio: plug one in, or add a section [Radio NAME] to "
                                "%s; "
                                "\"%s discover\" shows what there is",
                                config_place(options->bus), CTL_NAME);
        if (radios->len > 1) {
                ids = radio_ids(o, radios);
                return ctl_fail(EXIT_CODE_USAGE, "there are several radios, choose one with --radio: %s",
                                ids);
        }

        *ret = radios->pdata[0];
        return EXIT_CODE_OK;
}

const char *objects_radio_of(Objects *o, const char *path) {
        JsonObjectIter iter;
        const char *radio;
        JsonNode *node;

        json_object_iter_init(&iter, o->paths);
        while (json_object_iter_next(&iter, &radio, &node))
                if (path_is_below(path, radio) && objects_get(o, radio, IFACE_RADIO))
                        return radio;
        return NULL;
}

const char *objects_radio_id(Objects *o, const char *path) {
        const char *radio = objects_get(o, path, IFACE_RADIO) ? path : objects_radio_of(o, path);

        return radio ? json_string(objects_get(o, radio, IFACE_RADIO), "Id") : "";
}

JsonObject *objects_to_json(Objects *o, const char *path, const char *interface) {
        JsonObject *object = json_object_new();

        json_object_set_string_member(object, "Path", path);
        if (strcmp(interface, IFACE_RADIO) != 0)
                json_object_set_string_member(object, "Radio", objects_radio_id(o, path));
        if (objects_get(o, path, interface))
                json_merge(object, objects_get(o, path, interface));
        return object;
}

/* -- recipients ------------------------------------------------------------- */

static char *candidates_text(Objects *o, GPtrArray *paths) {
        GString *out = g_string_new(NULL);

        for (guint i = 0; i < MIN(paths->len, CANDIDATES_MAX); i++) {
                JsonObject *contact = objects_get(o, paths->pdata[i], IFACE_CONTACT);
                JsonObject *channel = objects_get(o, paths->pdata[i], IFACE_CHANNEL);

                if (out->len > 0)
                        g_string_append(out, ", ");
                if (contact)
                        g_string_append_printf(out, "%s (%s)", json_string(contact, "Name"),
                                               json_string(contact, "Key"));
                else
                        g_string_append_printf(out, "channel %s in slot %" G_GINT64_FORMAT,
                                               json_string(channel, "Name"), json_int(channel, "Slot"));
        }
        if (paths->len > CANDIDATES_MAX)
                g_string_append(out, ", …");
        return g_string_free(out, FALSE);
}

/* One of paths, none, or too many. */
static int choose(Objects *o, GPtrArray *paths, const char **ret, char **ret_candidates) {
        if (paths->len == 0)
                return 0;
        if (paths->len > 1) {
                *ret_candidates = candidates_text(o, paths);
                return -ENOTUNIQ;
        }

        *ret = paths->pdata[0];
        return 1;
}

/* Removes those whose member does not fit: whole, or as a prefix. */
static void keep_matching(Objects *o, GPtrArray *paths, const char *interface, const char *member,
                          const char *value, bool prefix) {
        for (guint i = paths->len; i-- > 0;) {
                const char *have = json_string(objects_get(o, paths->pdata[i], interface), member);

                if (prefix ? !g_str_has_prefix(have, value) : strcmp(have, value) != 0)
                        g_ptr_array_remove_index(paths, i);
        }
}

static GPtrArray *find_by(Objects *o, const char *radio, const char *interface, const char *member,
                          const char *value, bool prefix) {
        GPtrArray *paths = objects_list(o, radio, interface);

        keep_matching(o, paths, interface, member, value, prefix);
        return paths;
}

static bool is_hex(const char *s) {
        for (const char *p = s; *p; p++)
                if (!g_ascii_isxdigit(*p))
                        return false;
        return true;
}

/* Those of exactly this name, and with enough digits those whose key begins with them: the name of one and
 * the prefix of another leaves nobody to know who is meant. */
static GPtrArray *find_contacts(Objects *o, const char *radio, const char *name, const char *lower) {
        GPtrArray *contacts = find_by(o, radio, IFACE_CONTACT, "Name", name, false);
        g_autoptr(GPtrArray) prefixes = NULL;

        if (!is_hex(name) || strlen(name) < KEY_PREFIX_DIGITS_MIN)
                return contacts;

        prefixes = find_by(o, radio, IFACE_CONTACT, "Key", lower, true);
        for (guint i = 0; i < prefixes->len; i++)
                if (!g_ptr_array_find(contacts, prefixes->pdata[i], NULL))
                        g_ptr_array_add(contacts, prefixes->pdata[i]);
        return contacts;
}

int objects_find_contact(Objects *o, const char *radio, const char *name, const char **ret,
                         char **ret_candidates) {
        g_autofree char *lower = g_ascii_strdown(name, -1);
        g_autoptr(GPtrArray) contacts = NULL;

        if (objects_get(o, name, IFACE_CONTACT) && path_is_below(name, radio)) {
                *ret = name;
                return 1;
        }

        if (is_hex(name) && strlen(name) == PUBLIC_KEY_DIGITS)
                contacts = find_by(o, radio, IFACE_CONTACT, "Key", lower, false);
        else
                contacts = find_contacts(o, radio, name, lower);
        return choose(o, contacts, ret, ret_candidates);
}

int objects_find_recipient(Objects *o, const char *radio, const char *name, const char **ret,
                           char **ret_candidates) {
        g_autofree char *lower = g_ascii_strdown(name, -1);
        g_autoptr(GPtrArray) channels = NULL, contacts = NULL;

        if (objects_get(o, name, IFACE_CONTACT) || objects_get(o, name, IFACE_CHANNEL)) {
                if (!path_is_below(name, radio))
                        return 0;
                *ret = name;
                return 1;
        }
        if (is_hex(name) && strlen(name) == PUBLIC_KEY_DIGITS) {
                contacts = find_by(o, radio, IFACE_CONTACT, "Key", lower, false);
                return choose(o, contacts, ret, ret_candidates);
        }

        channels = find_by(o, radio, IFACE_CHANNEL, "Name", name, false);
        if (channels->len == 0 && name[0] == '#') {
                g_ptr_array_unref(channels);
                channels = find_by(o, radio, IFACE_CHANNEL, "Name", name + 1, false);
        }
        if (name[0] == '#' && channels->len > 0)
                return choose(o, channels, ret, ret_candidates);

        contacts = find_contacts(o, radio, name, lower);
        g_ptr_array_extend(contacts, channels, NULL, NULL);
        return choose(o, contacts, ret, ret_candidates);
}

int objects_find_channel(Objects *o, const char *radio, const char *name, const char **ret,
                         char **ret_candidates) {
        g_autofree char *hashtag = g_strconcat("#", name, NULL);
        g_autoptr(GPtrArray) paths = NULL;

        if (objects_get(o, name, IFACE_CHANNEL) && path_is_below(name, radio)) {
                *ret = name;
                return 1;
        }

        paths = find_by(o, radio, IFACE_CHANNEL, "Name", name, false);
        if (paths->len == 0) {
                g_ptr_array_unref(paths);
                paths = find_by(o, radio, IFACE_CHANNEL, "Name", hashtag, false);
        }
        if (paths->len > 0 || !*name || strlen(name) > 3 || strspn(name, "0123456789") != strlen(name))
                return choose(o, paths, ret, ret_candidates);

        g_ptr_array_unref(paths);
        paths = objects_list(o, radio, IFACE_CHANNEL);
        for (guint i = paths->len; i-- > 0;)
                if (json_int(objects_get(o, paths->pdata[i], IFACE_CHANNEL), "Slot") !=
                    (int64_t) g_ascii_strtoull(name, NULL, 10))
                        g_ptr_array_remove_index(paths, i);
        return choose(o, paths, ret, ret_candidates);
}

/* -- what may have been meant --------------------------------------------------- */

static void add_names(Objects *objects, const char *radio, const char *interface, GPtrArray *names) {
        g_autoptr(GPtrArray) paths = objects_list(objects, radio, interface);

        for (guint i = 0; i < paths->len; i++)
                g_ptr_array_add(names, (char *) json_string(objects_get(objects, paths->pdata[i], interface),
                                                            "Name"));
}

char *objects_suggest(Objects *objects, const char *radio, const char *name, bool contacts, bool channels) {
        g_autoptr(GPtrArray) names = g_ptr_array_new();

        if (contacts)
                add_names(objects, radio, IFACE_CONTACT, names);
        if (channels)
                add_names(objects, radio, IFACE_CHANNEL, names);
        g_ptr_array_add(names, NULL);
        return suggest(name, (const char *const *) names->pdata,
                       !channels   ? "; see: " CTL_NAME " contacts"
                       : !contacts ? "; see: " CTL_NAME " channels"
                                   : "; see: " CTL_NAME " contacts, " CTL_NAME " channels");
}
