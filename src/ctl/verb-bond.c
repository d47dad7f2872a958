/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "autobus.h"
#include "found.h"
#include "target.h"
#include "verbs.h"

/* Bonds over Bluetooth, of radios that are configured and of others. */

static ExitCode list_bonds(Client *client, JsonNode **ret) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        ExitCode code;

        code = client_call(client, CALL_FOREVER, &reply, CTL_ROOT, IFACE_MANAGER, "ListBonds", NULL);
        return code == EXIT_CODE_OK ? found_read(reply, "ListBonds", ret) : code;
}

static ExitCode run_list(const CtlOptions *options, const Args *args) {
        g_autoptr(JsonNode) bonds = NULL;
        g_autoptr(Client) client = NULL;
        ExitCode code;

        code = client_open(options, &client);
        if (code == EXIT_CODE_OK)
                code = list_bonds(client, &bonds);
        return code == EXIT_CODE_OK ? found_show(options, client, g_steal_pointer(&bonds)) : code;
}

static const Verb bond_list = {
                .name = "bond list",
                .arguments = "",
                .summary = "List the radios that this computer is paired with",
                .description = "Also those that are not configured.\n"
                               "\n"
                               "With --json: an array of objects as ListBonds of org.meshcored1.Manager has "
                               "them.\n",
                .examples = "  meshcorectl bond list\n",
                .run = run_list,
};

static ExitCode run_verify(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        CtlOptions chosen = *options;
        g_auto(Target) target = {};
        const char *state;
        ExitCode code;

        if (args_count(args) > 0)
                chosen.radio = args_word(args, 0);
        code = target_open(&chosen, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = target_check_pairing(&target);
        if (code == EXIT_CODE_OK)
                code = target_call(&target, &reply, target.radio, IFACE_PAIRING, "Verify", NULL);
        if (code != EXIT_CODE_OK)
                return code;
        if (sd_bus_message_read(reply, "s", &state) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to Verify makes no sense");

        if (!options->json && strcmp(state, "verified") != 0)
                return ctl_fail(EXIT_CODE_FAILED, "the bond is not proven, its state is: %s", state);
        target_print_text(&target, "BondState", state);
        return EXIT_CODE_OK;
}

static const Verb bond_verify = {
                .name = "bond verify",
                .arguments = "[ID]",
                .summary = "Prove the bond with a radio by an answer of it",
                .description = "Prints \"verified\", or fails and says what the state is instead. A link is "
                               "opened if\n"
                               "there is none.\n"
                               "\n"
                               "With --json: {\"BondState\"}, whichever it is.\n",
                .examples = "  meshcorectl bond verify\n"
                            "  meshcorectl bond verify hut\n",
                .max_words = 1,
                .word = WORD_RADIO,
                .run = run_verify,
};

static ExitCode forget(Client *client, const char *address) {
        return client_call(client, CALL_FOREVER, NULL, CTL_ROOT, IFACE_MANAGER, "ForgetBond", "s", address);
}

/* Each address once: several adapters may have a bond with it. */
static ExitCode forget_all(Client *client) {
        g_autoptr(GHashTable) done = g_hash_table_new(g_str_hash, g_str_equal);
        g_autoptr(JsonNode) bonds = NULL;
        JsonArray *records;
        ExitCode code;

        code = list_bonds(client, &bonds);
        if (code != EXIT_CODE_OK)
                return code;

        records = json_node_get_array(bonds);
        for (guint i = 0; code == EXIT_CODE_OK && i < json_array_get_length(records); i++) {
                const char *address = json_string(json_array_get_object_element(records, i), "Address");

                if (g_hash_table_add(done, (gpointer) address))
                        code = forget(client, address);
        }
        return code;
}

static ExitCode run_forget(const CtlOptions *options, const Args *args) {
        g_autoptr(Client) client = NULL;
        ExitCode code;

        if (args_has(args, "all") == (args_count(args) > 0))
                return ctl_fail(EXIT_CODE_USAGE, "either an address, or --all");

        code = client_open(options, &client);
        if (code != EXIT_CODE_OK)
                return code;
        return args_has(args, "all") ? forget_all(client) : forget(client, args_word(args, 0));
}

static const VerbOption forget_options[] = {
                {"all", 0, NULL, "with all MeshCore radios", WORD_ANY, NULL},
                {},
};

static const Verb bond_forget = {
                .name = "bond forget",
                .arguments = "ADDRESS | --all",
                .summary = "Remove the bond with a radio from this computer",
                .description = "A configured radio that uses it is stopped. The radio keeps its own half "
                               "until it is\n"
                               "paired again. Other Bluetooth devices are left alone. Takes the right to\n"
                               "administer. Prints nothing, also with --json.\n",
                .examples = "  meshcorectl bond forget C0:00:00:00:22:01\n"
                            "  meshcorectl bond forget --all\n",
                .options = forget_options,
                .max_words = 1,
                .run = run_forget,
};

static const Verb *const parts[] = {&bond_list, &bond_verify, &bond_forget, NULL};

const Verb verb_bond = {
                .name = "bond",
                .summary = "List, prove and remove the bonds with radios over Bluetooth",
                .description = "To pair a radio: meshcorectl pair.\n",
                .examples = "  meshcorectl bond list\n"
                            "  meshcorectl bond verify hut\n",
                .parts = parts,
};
