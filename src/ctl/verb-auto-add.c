/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "autobus.h"
#include "command-line.h"
#include "macros.h"
#include "target.h"
#include "verbs.h"

static const struct {
        const char *option, *key, *help;
} kinds[] = {
                {"manual", "Manual", "Only the kinds below"},
                {"chat", "Chat", "People"},
                {"repeater", "Repeater", "Repeaters"},
                {"room", "Room", "Rooms"},
                {"sensor", "Sensor", "Sensors"},
                {"overwrite", "Overwrite", "Overwrite oldest"},
};

/* -- show ------------------------------------------------------------------- */

static JsonObject *get_auto_add(const Target *t) {
        return json_object(objects_get(t->objects, t->radio, IFACE_CONTACTS), "AutoAdd");
}

static ExitCode show(const Target *t) {
        JsonObject *settings = get_auto_add(t);

        if (t->options->json) {
                json_print_document(json_node_init_object(json_node_alloc(), settings));
                return EXIT_CODE_OK;
        }
        if (!settings || json_object_get_size(settings) == 0)
                return ctl_fail(EXIT_CODE_NOT_CONNECTED, "radio %s has not told its settings yet",
                                objects_radio_id(t->objects, t->radio));

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (json_object_has_member(settings, kinds[i].key))
                        printf("%-20s %s\n", kinds[i].help, json_bool(settings, kinds[i].key) ? "yes" : "no");
        if (json_int(settings, "MaxHops") > 0)
                printf("%-20s %" G_GINT64_FORMAT "\n", "Fewer hops than", json_int(settings, "MaxHops"));
        else if (json_object_has_member(settings, "MaxHops"))
                printf("%-20s any\n", "Fewer hops than");
        return EXIT_CODE_OK;
}

static ExitCode run_show(const CtlOptions *options, const Args *args) {
        g_auto(Target) target = {};
        ExitCode code = target_open(options, NULL, &target);

        return code == EXIT_CODE_OK ? show(&target) : code;
}

static const Verb auto_add_show = {
                .name = "auto-add show",
                .arguments = "",
                .summary = "Show which nodes the radio adds by itself",
                .description = "Unless adding is manual, the radio adds everybody it hears, and the kinds do "
                               "not\n"
                               "count. What the radio's firmware does not have is left out.\n"
                               "\n"
                               "With --json: an object with the keys of the property AutoAdd of\n"
                               "org.meshcored1.Contacts; empty while the radio has not told them.\n",
                .examples = "  meshcorectl auto-add show\n",
                .run = run_show,
};

/* -- set -------------------------------------------------------------------- */

static ExitCode append_settings(sd_bus_message *call, const Args *args, int *ret) {
        bool has_hops = args_has(args, "max-hops");
        uint64_t hops = 0;
        ExitCode code;
        int r;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                bool value;

                if (!args_has(args, kinds[i].option))
                        continue;
                code = args_get_bool(args, kinds[i].option, &value);
                if (code != EXIT_CODE_OK)
                        return code;
                if (r >= 0)
                        r = sd_bus_message_append(call, "{sv}", kinds[i].key, "b", (int) value);
        }

        code = args_get_number(args, "max-hops", UINT8_MAX, &hops);
        if (code != EXIT_CODE_OK)
                return code;
        if (r >= 0 && has_hops)
                r = sd_bus_message_append(call, "{sv}", "MaxHops", "y", (int) hops);
        *ret = r < 0 ? r : sd_bus_message_close_container(call);
        return EXIT_CODE_OK;
}

static ExitCode run_set(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *call = NULL;
        g_auto(Target) target = {};
        bool any = args_has(args, "max-hops");
        ExitCode code;
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                any |= args_has(args, kinds[i].option);
        if (!any)
                return ctl_fail(EXIT_CODE_USAGE, "nothing is to be changed; see: %s auto-add set --help",
                                CTL_NAME);

        code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = client_new_call(target.client, target.radio, IFACE_CONTACTS, "SetAutoAdd", &call);
        if (code == EXIT_CODE_OK)
                code = append_settings(call, args, &r);
        if (code == EXIT_CODE_OK)
                code = target_send(&target, call, r, NULL);
        return code;
}

static const VerbOption set_options[] = {
                {"manual", 'm', "YES", "add only the kinds below by itself; no: add everybody", WORD_CHOICE,
                 "yes no"},
                {"chat", 0, "YES", "people", WORD_CHOICE, "yes no"},
                {"repeater", 0, "YES", "repeaters", WORD_CHOICE, "yes no"},
                {"room", 0, "YES", "rooms", WORD_CHOICE, "yes no"},
                {"sensor", 0, "YES", "sensors", WORD_CHOICE, "yes no"},
                {"overwrite", 0, "YES", "a full radio gives up its oldest contact that is no favourite",
                 WORD_CHOICE, "yes no"},
                {"max-hops", 0, "N", "only who is fewer hops away than this, up to 64; 0: any distance",
                 WORD_ANY, NULL},
                {},
};

static const Verb auto_add_set = {
                .name = "auto-add set",
                .arguments = "OPTION…",
                .summary = "Change which nodes the radio adds by itself",
                .description = "Everything else stays as it is. All but --manual take firmware 1.12, "
                               "--max-hops\n"
                               "takes 1.14. Prints nothing, also with --json.\n",
                .examples = "  meshcorectl auto-add set --manual yes --chat yes --repeater no\n"
                            "  meshcorectl auto-add set --manual no\n",
                .options = set_options,
                .run = run_set,
};

static const Verb *const parts[] = {&auto_add_show, &auto_add_set, NULL};

const Verb verb_auto_add = {
                .name = "auto-add",
                .summary = "See and change which nodes the radio adds by itself",
                .description = "What it hears and does not add is kept in \"pending\".\n",
                .examples = "  meshcorectl auto-add\n"
                            "  meshcorectl auto-add set --manual yes --chat yes\n",
                .parts = parts,
};
