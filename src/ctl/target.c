/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "autobus.h"
#include "target.h"
#include "terminal.h"

ExitCode target_open(const CtlOptions *options, const char *name, Target *ret) {
        g_auto(Target) t = {.options = options};
        ExitCode code;

        code = client_open(options, &t.client);
        if (code == EXIT_CODE_OK)
                code = objects_load(t.client, &t.objects);
        if (code != EXIT_CODE_OK)
                return code;

        if (name && name[0] == '/')
                t.radio = objects_radio_of(t.objects, name);
        if (!t.radio) {
                code = objects_radio(t.objects, options, &t.radio);
                if (code != EXIT_CODE_OK)
                        return code;
        }

        *ret = t;
        t = (Target){};
        return EXIT_CODE_OK;
}

void target_clear(Target *t) {
        t->objects = objects_free(t->objects);
        t->client = client_free(t->client);
}

static ExitCode fail_unknown(const Target *t, const char *what, const char *name) {
        bool contact = strcmp(what, "contact") == 0;
        g_autofree char *near = objects_suggest(t->objects, t->radio, name, contact, !contact);

        return ctl_fail(EXIT_CODE_NOT_FOUND, "there is no %s %s%s", what, name, near);
}

ExitCode target_find_contact(const Target *t, const char *name, const char **ret) {
        g_autofree char *candidates = NULL;
        int r;

        r = objects_find_contact(t->objects, t->radio, name, ret, &candidates);
        if (r < 0)
                return ctl_fail(EXIT_CODE_USAGE, "%s can be any of these: %s", name, candidates);
        if (r == 0)
                return fail_unknown(t, "contact", name);
        return EXIT_CODE_OK;
}

ExitCode target_find_channel(const Target *t, const char *name, const char **ret) {
        g_autofree char *candidates = NULL;
        int r;

        r = objects_find_channel(t->objects, t->radio, name, ret, &candidates);
        if (r < 0)
                return ctl_fail(EXIT_CODE_USAGE, "%s can be any of these: %s", name, candidates);
        if (r == 0)
                return fail_unknown(t, "channel", name);
        return EXIT_CODE_OK;
}

ExitCode target_check_pairing(const Target *t) {
        JsonObject *radio = objects_get(t->objects, t->radio, IFACE_RADIO);

        if (objects_get(t->objects, t->radio, IFACE_PAIRING))
                return EXIT_CODE_OK;
        return ctl_fail(EXIT_CODE_USAGE, "%s is not on Bluetooth but on %s: there is nothing to pair",
                        json_string(radio, "Id"), json_string(radio, "Transport"));
}

ExitCode target_open_contact(const CtlOptions *options, const char *name, Target *ret,
                             const char **ret_path) {
        ExitCode code = target_open(options, name, ret);

        return code == EXIT_CODE_OK ? target_find_contact(ret, name, ret_path) : code;
}

ExitCode target_open_channel(const CtlOptions *options, const char *name, Target *ret,
                             const char **ret_path) {
        ExitCode code = target_open(options, name, ret);

        return code == EXIT_CODE_OK ? target_find_channel(ret, name, ret_path) : code;
}

/* -- calls ------------------------------------------------------------------ */

ExitCode target_send(const Target *t, sd_bus_message *call, int r, sd_bus_message **ret_reply) {
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;

        if (r >= 0)
                r = client_send(t->client, call, CALL_FOREVER, &error, ret_reply);
        return r < 0 ? client_report(t->client, call, &error, r) : EXIT_CODE_OK;
}

ExitCode target_call(const Target *t, sd_bus_message **ret_reply, const char *path, const char *interface,
                     const char *member, const char *types, ...) {
        _cleanup_message_ sd_bus_message *call = NULL;
        ExitCode code;
        va_list ap;
        int r;

        code = client_new_call(t->client, path, interface, member, &call);
        if (code != EXIT_CODE_OK)
                return code;

        va_start(ap, types);
        r = sd_bus_message_appendv(call, types ?: "", ap);
        va_end(ap);
        return target_send(t, call, r, ret_reply);
}

ExitCode target_get(const Target *t, const char *path, const char *interface, JsonObject **ret) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        g_autoptr(JsonNode) node = NULL;
        JsonObject *object;
        ExitCode code;
        int r;

        code = client_call(t->client, CALL_DEFAULT, &reply, path, "org.freedesktop.DBus.Properties", "GetAll",
                           "s", interface);
        if (code != EXIT_CODE_OK)
                return code;
        r = json_from_message(reply, &node);
        if (r < 0 || !JSON_NODE_HOLDS_OBJECT(node))
                return ctl_fail(EXIT_CODE_FAILED, "what the daemon says of %s makes no sense", path);

        object = json_object_new();
        json_object_set_string_member(object, "Path", path);
        json_object_set_string_member(object, "Radio", objects_radio_id(t->objects, t->radio));
        json_merge(object, json_node_get_object(node));
        *ret = object;
        return EXIT_CODE_OK;
}

/* -- output ------------------------------------------------------------------ */

ExitCode target_print(const Target *t, const char *path, const char *interface, const char *member) {
        g_autoptr(JsonObject) object = NULL;
        ExitCode code;

        if (!t->options->json && !member)
                return EXIT_CODE_OK;
        code = target_get(t, path, interface, &object);
        if (code != EXIT_CODE_OK)
                return code;

        if (t->options->json)
                json_print_document(json_node_init_object(json_node_alloc(), object));
        else if (strcmp(member, "Slot") == 0)
                printf("%" G_GINT64_FORMAT "\n", json_int(object, member));
        else {
                g_autofree char *shown = terminal_escape(json_string(object, member));

                puts(shown);
        }
        return EXIT_CODE_OK;
}

void target_print_text(const Target *t, const char *member, const char *text) {
        g_autoptr(JsonObject) object = NULL;
        g_autofree char *shown = NULL;

        if (t->options->json) {
                object = json_object_new();
                json_object_set_string_member(object, member, text);
                json_print_document(json_node_init_object(json_node_alloc(), object));
                return;
        }

        shown = terminal_escape(text);
        puts(shown);
}
