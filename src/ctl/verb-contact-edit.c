/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "autobus.h"
#include "command-line.h"
#include "format.h"
#include "hex.h"
#include "key.h"
#include "macros.h"
#include "target.h"
#include "verb-contact-internal.h"

#define HOP_SIZE_MAX 3

/* -- what the options say of a contact -------------------------------------------- */

typedef struct Fields {
        bool has_favourite, favourite, has_flags, has_location, has_path;
        uint64_t flags;
        double lat, lon;
        const char *name, *type;
        GPtrArray *path; /* hex digits */
} Fields;

static void fields_clear(Fields *f) {
        g_clear_pointer(&f->path, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fields, fields_clear)

static int parse_location(const char *text, double *ret_lat, double *ret_lon) {
        double lat, lon;
        char *end;

        lat = g_ascii_strtod(text, &end);
        if (end == text || *end != ',')
                return -EINVAL;
        text = end + 1;
        lon = g_ascii_strtod(text, &end);
        if (end == text || *end)
                return -EINVAL;

        *ret_lat = lat;
        *ret_lon = lon;
        return 0;
}

/* Adds the hops in text, separated by commas. */
static ExitCode add_hops(const char *text, GPtrArray *path) {
        g_auto(GStrv) hops = g_strsplit(text, ",", -1);

        if (!*hops)
                return ctl_fail(EXIT_CODE_USAGE, "a path without hops is called direct");

        for (char **hop = hops; *hop; hop++) {
                uint8_t bytes[HOP_SIZE_MAX];

                if (hex_decode(*hop, strlen(*hop), bytes, sizeof(bytes)) <= 0)
                        return ctl_fail(EXIT_CODE_USAGE,
                                        "a hop is 2, 4 or 6 hex digits, the beginning of a repeater's key, "
                                        "not: %s",
                                        *hop);
                g_ptr_array_add(path, g_strdup(*hop));
        }
        return EXIT_CODE_OK;
}

static ExitCode read_fields(const Args *args, Fields *f) {
        const char *location = args_get(args, "location"), *path = args_get(args, "path");
        ExitCode code;

        f->name = args_get(args, "name");
        f->type = args_get(args, "type");
        f->has_favourite = args_has(args, "favourite");
        f->has_flags = args_has(args, "flags");
        f->has_path = path;
        f->path = g_ptr_array_new_with_free_func(g_free);

        code = args_get_bool(args, "favourite", &f->favourite);
        if (code == EXIT_CODE_OK)
                code = args_get_number(args, "flags", UINT8_MAX, &f->flags);
        if (code == EXIT_CODE_OK && path && strcmp(path, "direct") != 0)
                code = add_hops(path, f->path);
        if (code != EXIT_CODE_OK)
                return code;

        f->has_location = location;
        if (location && parse_location(location, &f->lat, &f->lon) < 0)
                return ctl_fail(EXIT_CODE_USAGE, "--location takes degrees such as 48.2082,16.3738, not: %s",
                                location);
        return EXIT_CODE_OK;
}

static int append_path(sd_bus_message *call, GPtrArray *path) {
        int r;

        r = sd_bus_message_open_container(call, 'a', "ay");
        for (guint i = 0; r >= 0 && i < path->len; i++) {
                uint8_t bytes[HOP_SIZE_MAX];

                r = hex_decode(path->pdata[i], strlen(path->pdata[i]), bytes, sizeof(bytes));
                if (r >= 0)
                        r = sd_bus_message_append_array(call, 'y', bytes, (size_t) r);
        }
        return r < 0 ? r : sd_bus_message_close_container(call);
}

static int append_path_entry(sd_bus_message *call, GPtrArray *path) {
        int r;

        r = sd_bus_message_open_container(call, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(call, "s", "Path");
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'v', "aay");
        if (r >= 0)
                r = append_path(call, path);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

/* The a{sv} of Add and Update. */
static int append_fields(sd_bus_message *call, const char *key, const Fields *f) {
        int r;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && key)
                r = sd_bus_message_append(call, "{sv}", "Key", "s", key);
        if (r >= 0 && f->type)
                r = sd_bus_message_append(call, "{sv}", "Type", "s", f->type);
        if (r >= 0 && f->name)
                r = sd_bus_message_append(call, "{sv}", "Name", "s", f->name);
        if (r >= 0 && f->has_flags)
                r = sd_bus_message_append(call, "{sv}", "Flags", "u", (uint32_t) f->flags);
        if (r >= 0 && f->has_favourite)
                r = sd_bus_message_append(call, "{sv}", "Favourite", "b", (int) f->favourite);
        if (r >= 0 && f->has_location)
                r = sd_bus_message_append(call, "{sv}", "Location", "(dd)", f->lat, f->lon);
        if (r >= 0 && f->has_path)
                r = append_path_entry(call, f->path);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

/* -- add -------------------------------------------------------------------------- */

static ExitCode run_add(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        g_auto(Target) target = {};
        g_auto(Fields) fields = {};
        const char *path;
        PublicKey key;
        ExitCode code;

        if (key_from_text(args_word(args, 0), &key) < 0)
                return ctl_fail(EXIT_CODE_USAGE, "a key has 64 hex digits, not: %s", args_word(args, 0));
        code = read_fields(args, &fields);
        if (code == EXIT_CODE_OK)
                code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = client_new_call(target.client, target.radio, IFACE_CONTACTS, "Add", &call);
        if (code == EXIT_CODE_OK)
                code = target_send(&target, call, append_fields(call, args_word(args, 0), &fields), &reply);
        if (code != EXIT_CODE_OK)
                return code;

        if (sd_bus_message_read(reply, "o", &path) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to Add makes no sense");
        return target_print(&target, path, IFACE_CONTACT, "Key");
}

static const VerbOption add_options[] = {
                {"name", 'n', "NAME", "needed for a node that nobody heard yet", WORD_ANY, NULL},
                {"type", 't', "TYPE", "chat, repeater, room or sensor; needed as the name is", WORD_CHOICE,
                 "chat repeater room sensor"},
                {"favourite", 'f', "YES", "whether the radio protects it from being overwritten", WORD_CHOICE,
                 "yes no"},
                {"flags", 0, "N", "all flags of the radio's table, 0 to 255", WORD_ANY, NULL},
                {"location", 0, "LAT,LON", "degrees", WORD_ANY, NULL},
                {"path", 0, "HOPS", "as \"contact set-path\" takes them, separated by commas", WORD_ANY,
                 NULL},
                {},
};

const Verb contact_add = {
                .name = "contact add",
                .arguments = "KEY [OPTION…]",
                .summary = "Add a node by its key",
                .description = "What is not given comes from what was heard of the node (see \"pending\"). A "
                               "full\n"
                               "radio gives up the contact that it has not heard for longest, never a "
                               "favourite.\n"
                               "Prints the key; with --json: one object as in \"contacts --json\".\n",
                .examples = "  meshcorectl contact add 3f5a09c1… --name Bob --type chat\n",
                .options = add_options,
                .min_words = 1,
                .max_words = 1,
                .word = WORD_PENDING,
                .run = run_add,
};

/* -- update, favourite -------------------------------------------------------------- */

static ExitCode update(const CtlOptions *options, const char *name, const Fields *fields) {
        _cleanup_message_ sd_bus_message *call = NULL;
        g_auto(Target) target = {};
        const char *path;
        ExitCode code;

        code = target_open_contact(options, name, &target, &path);
        if (code == EXIT_CODE_OK)
                code = client_new_call(target.client, path, IFACE_CONTACT, "Update", &call);
        if (code == EXIT_CODE_OK)
                code = target_send(&target, call, append_fields(call, NULL, fields), NULL);
        return code == EXIT_CODE_OK ? target_print(&target, path, IFACE_CONTACT, NULL) : code;
}

static ExitCode run_update(const CtlOptions *options, const Args *args) {
        g_auto(Fields) fields = {};
        ExitCode code;

        code = read_fields(args, &fields);
        if (code != EXIT_CODE_OK)
                return code;
        if (!fields.name && !fields.has_favourite && !fields.has_flags && !fields.has_location)
                return ctl_fail(EXIT_CODE_USAGE, "nothing is to be changed; see: %s contact update --help",
                                CTL_NAME);
        return update(options, args_word(args, 0), &fields);
}

static const VerbOption update_options[] = {
                {"name", 'n', "NAME", "at most 31 bytes; the next advert of the node brings its own back",
                 WORD_ANY, NULL},
                {"favourite", 'f', "YES", "whether the radio protects it from being overwritten", WORD_CHOICE,
                 "yes no"},
                {"flags", 0, "N", "all flags of the radio's table, 0 to 255", WORD_ANY, NULL},
                {"location", 0, "LAT,LON", "degrees", WORD_ANY, NULL},
                {},
};

#define PRINTS_NOTHING "Prints nothing; with --json: the contact as in \"contacts --json\".\n"

const Verb contact_update = {
                .name = "contact update",
                .arguments = "CONTACT OPTION…",
                .summary = "Change name, flags or location of a contact",
                .description = "In the radio, if it has the contact. " PRINTS_NOTHING,
                .examples = "  meshcorectl contact update Alice --name 'Alice (boat)'\n"
                            "  meshcorectl contact update 3f5a09c1 --location 48.2082,16.3738\n",
                .options = update_options,
                .min_words = 1,
                .max_words = 1,
                .word = WORD_CONTACT,
                .run = run_update,
};

static ExitCode run_favourite(const CtlOptions *options, const Args *args) {
        Fields fields = {.has_favourite = true, .favourite = !args_has(args, "no")};

        return update(options, args_word(args, 0), &fields);
}

static const VerbOption favourite_options[] = {
                {"no", 'n', NULL, "not any more", WORD_ANY, NULL},
                {},
};

const Verb contact_favourite = {
                .name = "contact favourite",
                .arguments = "CONTACT [--no]",
                .summary = "Protect a contact from being overwritten in the radio",
                .description = PRINTS_NOTHING,
                .examples = "  meshcorectl contact favourite Alice\n"
                            "  meshcorectl contact favourite Alice --no\n",
                .options = favourite_options,
                .min_words = 1,
                .max_words = 1,
                .word = WORD_CONTACT,
                .run = run_favourite,
};

/* -- remove ------------------------------------------------------------------------- */

static ExitCode run_remove(const CtlOptions *options, const Args *args) {
        g_auto(Target) target = {};
        const char *path;
        ExitCode code;

        code = target_open_contact(options, args_word(args, 0), &target, &path);
        if (code != EXIT_CODE_OK)
                return code;
        if (args_has(args, "keep"))
                return target_call(&target, NULL, path, IFACE_CONTACT, "Remove", "a{sv}", 1, "Keep", "b", 1);
        return target_call(&target, NULL, path, IFACE_CONTACT, "Remove", "a{sv}", 0);
}

static const VerbOption remove_options[] = {
                {"keep", 'k', NULL, "only out of the radio; the daemon keeps it", WORD_ANY, NULL},
                {},
};

const Verb contact_remove = {
                .name = "contact remove",
                .arguments = "CONTACT [--keep]",
                .summary = "Take a contact out of the radio and forget it",
                .description = "Its messages stay. With --keep a text to it brings it back into the radio.\n"
                               "Prints nothing, also with --json.\n",
                .examples = "  meshcorectl contact remove Bob\n",
                .options = remove_options,
                .min_words = 1,
                .max_words = 1,
                .word = WORD_CONTACT,
                .run = run_remove,
};

/* -- paths ---------------------------------------------------------------------------- */

static ExitCode run_set_path(const CtlOptions *options, const Args *args) {
        g_autoptr(GPtrArray) hops = g_ptr_array_new_with_free_func(g_free);
        bool direct = args_count(args) == 2 && strcmp(args_word(args, 1), "direct") == 0;
        _cleanup_message_ sd_bus_message *call = NULL;
        g_auto(Target) target = {};
        ExitCode code = EXIT_CODE_OK;
        const char *path;

        for (unsigned i = 1; !direct && code == EXIT_CODE_OK && i < args_count(args); i++)
                code = add_hops(args_word(args, i), hops);
        if (code == EXIT_CODE_OK)
                code = target_open_contact(options, args_word(args, 0), &target, &path);
        if (code == EXIT_CODE_OK)
                code = client_new_call(target.client, path, IFACE_CONTACT, "SetPath", &call);
        if (code == EXIT_CODE_OK)
                code = target_send(&target, call, append_path(call, hops), NULL);
        return code == EXIT_CODE_OK ? target_print(&target, path, IFACE_CONTACT, NULL) : code;
}

const Verb contact_set_path = {
                .name = "contact set-path",
                .arguments = "CONTACT HOP… | CONTACT direct",
                .summary = "Set the way to a contact by hand",
                .description = "A HOP is the first 2, 4 or 6 hex digits of a repeater's key, the one nearest "
                               "to us\n"
                               "first, all of one length; commas may separate them too. \"direct\" means a\n"
                               "neighbour. The path is used first for every text, also when texts by flood "
                               "have\n"
                               "found another in the meantime. " PRINTS_NOTHING,
                .examples = "  meshcorectl contact set-path Alice a1 b2\n"
                            "  meshcorectl contact set-path Alice a1b2,c3d4\n"
                            "  meshcorectl contact set-path Alice direct\n",
                .min_words = 2,
                .max_words = UINT_MAX,
                .word = WORD_CONTACT,
                .run = run_set_path,
};

static ExitCode run_reset_path(const CtlOptions *options, const Args *args) {
        g_auto(Target) target = {};
        const char *path;
        ExitCode code;

        code = target_open_contact(options, args_word(args, 0), &target, &path);
        if (code == EXIT_CODE_OK)
                code = target_call(&target, NULL, path, IFACE_CONTACT, "ResetPath", NULL);
        return code == EXIT_CODE_OK ? target_print(&target, path, IFACE_CONTACT, NULL) : code;
}

const Verb contact_reset_path = {
                .name = "contact reset-path",
                .arguments = "CONTACT",
                .summary = "Forget the way to a contact; the next text goes by flood",
                .description = PRINTS_NOTHING,
                .examples = "  meshcorectl contact reset-path Alice\n",
                .min_words = 1,
                .max_words = 1,
                .word = WORD_CONTACT,
                .run = run_reset_path,
};

/* -- what the radio knows --------------------------------------------------------------- */

static ExitCode run_advert_path(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        g_autoptr(JsonNode) heard = NULL, hops = NULL;
        g_auto(Target) target = {};
        const char *path;
        ExitCode code;

        code = target_open_contact(options, args_word(args, 0), &target, &path);
        if (code == EXIT_CODE_OK)
                code = target_call(&target, &reply, path, IFACE_CONTACT, "GetAdvertPath", NULL);
        if (code != EXIT_CODE_OK)
                return code;
        if (json_from_message(reply, &heard) < 0 || json_from_message(reply, &hops) < 0 ||
            !JSON_NODE_HOLDS_ARRAY(hops))
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to GetAdvertPath makes no sense");

        if (options->json) {
                JsonObject *object = json_object_new();

                json_object_set_member(object, "HeardUSec", g_steal_pointer(&heard));
                json_object_set_member(object, "Path", g_steal_pointer(&hops));
                json_print_document(json_node_init_object(json_node_alloc(), object));
                json_object_unref(object);
        } else {
                g_autofree char *time = format_time(json_node_get_int(heard));
                g_autofree char *text = answer_hops_text(json_node_get_array(hops));

                printf("heard  %s\npath   %s\n", time, *text ? text : "direct");
        }
        return EXIT_CODE_OK;
}

const Verb contact_advert_path = {
                .name = "contact advert-path",
                .arguments = "CONTACT",
                .summary = "Show the way that the last advert of a contact took to us",
                .description = "Nearest to the contact first. The radio keeps those of the 16 nodes that it\n"
                               "heard last.\n"
                               "\n"
                               "With --json: {\"HeardUSec\", \"Path\"}.\n",
                .examples = "  meshcorectl contact advert-path Alice\n",
                .min_words = 1,
                .max_words = 1,
                .word = WORD_CONTACT,
                .run = run_advert_path,
};

static ExitCode run_refresh(const CtlOptions *options, const Args *args) {
        g_auto(Target) target = {};
        const char *path;
        ExitCode code;

        code = target_open_contact(options, args_word(args, 0), &target, &path);
        if (code == EXIT_CODE_OK)
                code = target_call(&target, NULL, path, IFACE_CONTACT, "Refresh", NULL);
        return code == EXIT_CODE_OK ? target_print(&target, path, IFACE_CONTACT, NULL) : code;
}

const Verb contact_refresh = {
                .name = "contact refresh",
                .arguments = "CONTACT",
                .summary = "Read a contact from the radio again",
                .description = PRINTS_NOTHING,
                .examples = "  meshcorectl contact refresh Alice\n",
                .min_words = 1,
                .max_words = 1,
                .word = WORD_CONTACT,
                .run = run_refresh,
};
