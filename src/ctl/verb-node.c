/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "autobus.h"
#include "command-line.h"
#include "format.h"
#include "table.h"
#include "target.h"
#include "terminal.h"
#include "text-input.h"
#include "verb-node.h"
#include "when.h"

/* Questions to repeaters, rooms and sensors. Their answers are open sets of named values, so they are
 * shown by their form; see answer.h. */

/* -- asking ------------------------------------------------------------------ */

ExitCode node_new_call(const Target *t, const char *path, const char *member, sd_bus_message **ret) {
        if (!objects_get(t->objects, path, IFACE_NODE))
                return ctl_fail(EXIT_CODE_USAGE, "%s is neither a repeater nor a room nor a sensor",
                                json_string(objects_get(t->objects, path, IFACE_CONTACT), "Name"));
        return client_new_call(t->client, path, IFACE_NODE, member, ret);
}

static ExitCode ask_once(const Target *t, const char *path, const char *member, const char *flag,
                         bool stream) {
        _cleanup_message_ sd_bus_message *call = NULL;
        ExitCode code;
        int r;

        code = node_new_call(t, path, member, &call);
        if (code != EXIT_CODE_OK)
                return code;
        r = flag     ? sd_bus_message_append(call, "a{sv}", 1, flag, "b", 1)
            : stream ? sd_bus_message_append(call, "a{sv}", 1, "Poll", "b", 1)
                     : sd_bus_message_append(call, "a{sv}", 0);
        return answer_ask(t, call, r, stream);
}

/* Questions whose only arguments are options: flag is true when the option is given. */
static ExitCode ask_simple(const CtlOptions *options, const Args *args, const char *member,
                           const char *option, const char *flag) {
        g_auto(Target) target = {};
        const char *path;
        uint64_t usec;
        ExitCode code;

        code = target_open_contact(options, args_word(args, 0), &target, &path);
        if (code != EXIT_CODE_OK)
                return code;
        if (!args_has(args, "watch"))
                return ask_once(&target, path, member, option && args_has(args, option) ? flag : NULL, false);

        if (parse_duration(args_get(args, "watch"), &usec) < 0 || usec < 10 * G_USEC_PER_SEC)
                return ctl_fail(EXIT_CODE_USAGE, "--watch takes a time of at least 10s, such as 15min");
        for (;;) {
                /* A node that is out of reach now may not be so later. */
                code = ask_once(&target, path, member, NULL, true);
                if (code != EXIT_CODE_OK && code != EXIT_CODE_NOT_DELIVERED &&
                    code != EXIT_CODE_NOT_CONNECTED)
                        return code;
                g_usleep(usec);
        }
}

static ExitCode run_status(const CtlOptions *options, const Args *args) {
        return ask_simple(options, args, "GetStatus", "legacy", "Legacy");
}

static ExitCode run_telemetry(const CtlOptions *options, const Args *args) {
        return ask_simple(options, args, "GetTelemetry", "legacy", "Legacy");
}

static ExitCode run_acl(const CtlOptions *options, const Args *args) {
        return ask_simple(options, args, "GetAccessList", NULL, NULL);
}

static ExitCode run_owner(const CtlOptions *options, const Args *args) {
        return ask_simple(options, args, "GetOwner", "full", "Full");
}

static ExitCode run_regions(const CtlOptions *options, const Args *args) {
        return ask_simple(options, args, "GetRegions", NULL, NULL);
}

static ExitCode run_basic(const CtlOptions *options, const Args *args) {
        return ask_simple(options, args, "GetBasic", NULL, NULL);
}

static ExitCode run_neighbours(const CtlOptions *options, const Args *args) {
        const char *order = args_get(args, "order") ?: "newest", *path;
        g_auto(Target) target = {};
        _cleanup_message_ sd_bus_message *call = NULL;
        uint64_t limit = 0;
        ExitCode code;

        code = args_get_number(args, "limit", UINT8_MAX, &limit);
        if (code == EXIT_CODE_OK)
                code = target_open_contact(options, args_word(args, 0), &target, &path);
        if (code == EXIT_CODE_OK)
                code = node_new_call(&target, path, "GetNeighbours", &call);
        if (code != EXIT_CODE_OK)
                return code;
        return answer_ask(&target, call,
                          sd_bus_message_append(call, "a{sv}", 2, "Order", "s", order, "Limit", "y",
                                                (uint8_t) limit),
                          false);
}

static ExitCode run_mma(const CtlOptions *options, const Args *args) {
        const char *since = args_get(args, "since") ?: "1d", *until = args_get(args, "until"), *path;
        uint64_t now = (uint64_t) g_get_real_time(), from, to = 0;
        g_auto(Target) target = {};
        _cleanup_message_ sd_bus_message *call = NULL;
        ExitCode code;

        if (parse_when(since, now, &from) < 0 || (until && parse_when(until, now, &to) < 0))
                return ctl_fail(EXIT_CODE_USAGE, "--since and --until take a time, such as 2h or yesterday");
        code = target_open_contact(options, args_word(args, 0), &target, &path);
        if (code == EXIT_CODE_OK)
                code = node_new_call(&target, path, "GetMinMaxAvg", &call);
        if (code != EXIT_CODE_OK)
                return code;
        return answer_ask(&target, call, sd_bus_message_append(call, "tta{sv}", from, to, 0), false);
}

/* -- login --------------------------------------------------------------------- */

static ExitCode run_login(const CtlOptions *options, const Args *args) {
        g_autofree char *password = NULL;
        g_auto(Target) target = {};
        _cleanup_message_ sd_bus_message *call = NULL;
        const char *path;
        ExitCode code;
        int r;

        code = target_open_contact(options, args_word(args, 0), &target, &path);
        if (code == EXIT_CODE_OK)
                code = node_new_call(&target, path, "Login", &call);
        if (code != EXIT_CODE_OK)
                return code;
        if (args_has(args, "blank"))
                password = g_strdup("");
        else
                code = text_input_line(args_get(args, "password-file"), "Password", true, &password);
        if (code != EXIT_CODE_OK)
                return code;

        r = sd_bus_message_sensitive(call);
        if (r >= 0)
                r = sd_bus_message_append(call, "s", password);
        if (r >= 0)
                r = args_has(args, "force") ? sd_bus_message_append(call, "a{sv}", 1, "Force", "b", 1)
                                            : sd_bus_message_append(call, "a{sv}", 0);
        explicit_bzero(password, strlen(password));
        return answer_ask(&target, call, r, false);
}

static ExitCode run_logout(const CtlOptions *options, const Args *args) {
        g_auto(Target) target = {};
        _cleanup_message_ sd_bus_message *call = NULL;
        const char *path;
        ExitCode code;

        code = target_open_contact(options, args_word(args, 0), &target, &path);
        if (code == EXIT_CODE_OK)
                code = node_new_call(&target, path, "Logout", &call);
        return code == EXIT_CODE_OK ? target_send(&target, call, 0, NULL) : code;
}

/* -- commands and bytes ------------------------------------------------------------ */

ExitCode node_run_line(const Target *t, const char *path, const char *line) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_message_ sd_bus_message *call = NULL;
        const char *text;
        ExitCode code;

        code = node_new_call(t, path, "Command", &call);
        if (code == EXIT_CODE_OK)
                code = target_send(t, call, sd_bus_message_append(call, "sa{sv}", line, 0), &reply);
        if (code != EXIT_CODE_OK)
                return code;
        if (sd_bus_message_read(reply, "s", &text) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to Command makes no sense");

        target_print_text(t, "Answer", text);
        fflush(stdout);
        return EXIT_CODE_OK;
}

static ExitCode run_command(const CtlOptions *options, const Args *args) {
        g_autofree char *line = NULL;
        g_auto(Target) target = {};
        GString *words = g_string_new(NULL);
        const char *path;
        ExitCode code;

        for (unsigned i = 1; i < args_count(args); i++)
                g_string_append_printf(words, "%s%s", i > 1 ? " " : "", args_word(args, i));
        line = g_string_free(words, FALSE);

        code = target_open_contact(options, args_word(args, 0), &target, &path);
        if (code == EXIT_CODE_OK && strcmp(line, "-") == 0) {
                g_clear_pointer(&line, g_free);
                code = text_input_line(NULL, "Command", true, &line);
        }
        if (code == EXIT_CODE_OK)
                code = node_run_line(&target, path, line);
        if (line)
                explicit_bzero(line, strlen(line));
        return code;
}

static ExitCode run_request(const CtlOptions *options, const Args *args) {
        g_auto(Target) target = {};
        _cleanup_message_ sd_bus_message *call = NULL;
        const char *path;
        ExitCode code;
        int r;

        code = target_open_contact(options, args_word(args, 0), &target, &path);
        if (code == EXIT_CODE_OK)
                code = node_new_call(&target, path, "Request", &call);
        if (code != EXIT_CODE_OK)
                return code;

        r = answer_append_hex(call, args_word(args, 1));
        if (r == -EINVAL)
                return ctl_fail(EXIT_CODE_USAGE, "%s is not made of pairs of hex digits", args_word(args, 1));
        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 0);
        return answer_ask(&target, call, r, false);
}

/* -- path -------------------------------------------------------------------------- */

static ExitCode run_path(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        g_autoptr(JsonNode) out = NULL, in = NULL;
        g_autoptr(JsonObject) object = NULL;
        g_auto(Target) target = {};
        const char *path;
        ExitCode code;

        code = target_open_contact(options, args_word(args, 0), &target, &path);
        if (code == EXIT_CODE_OK)
                code = target_call(&target, &reply, path, IFACE_CONTACT, "DiscoverPath", "a{sv}", 0);
        if (code != EXIT_CODE_OK)
                return code;
        if (json_from_message(reply, &out) < 0 || json_from_message(reply, &in) < 0 ||
            !JSON_NODE_HOLDS_ARRAY(out) || !JSON_NODE_HOLDS_ARRAY(in))
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to DiscoverPath makes no sense");

        if (options->json) {
                object = json_object_new();
                json_object_set_member(object, "Out", g_steal_pointer(&out));
                json_object_set_member(object, "In", g_steal_pointer(&in));
                json_print_document(json_node_init_object(json_node_alloc(), object));
        } else {
                g_autofree char *there = answer_hops_text(json_node_get_array(out)),
                                *back = answer_hops_text(json_node_get_array(in));

                printf("there  %s\nback   %s\n", *there ? there : "direct", *back ? back : "direct");
        }
        return EXIT_CODE_OK;
}

static ExitCode run_connection(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        g_auto(Target) target = {};
        int connected = false;
        const char *path;
        ExitCode code;

        code = target_open_contact(options, args_word(args, 0), &target, &path);
        if (code == EXIT_CODE_OK)
                code = node_new_call(&target, path, "HasConnection", &call);
        if (code == EXIT_CODE_OK)
                code = target_send(&target, call, 0, &reply);
        if (code != EXIT_CODE_OK)
                return code;
        if (sd_bus_message_read(reply, "b", &connected) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to HasConnection makes no sense");
        puts(options->json ? connected ? "true" : "false" : connected ? "yes" : "no");
        return EXIT_CODE_OK;
}

/* -- the group ---------------------------------------------------------------------- */

static ExitCode run_list(const CtlOptions *options, const Args *args) {
        static const char *const headers[] = {"NAME",   "TYPE",      "KEY", "PERMISSIONS",
                                              "STATUS", "TELEMETRY", NULL};
        g_autoptr(Table) table = table_new(headers);
        g_autoptr(JsonArray) array = json_array_new();
        g_autoptr(GPtrArray) nodes = NULL;
        g_auto(Target) target = {};
        ExitCode code;

        code = target_open(options, NULL, &target);
        if (code != EXIT_CODE_OK)
                return code;

        nodes = objects_list(target.objects, target.radio, IFACE_NODE);
        for (guint i = 0; i < nodes->len; i++) {
                const char *path = nodes->pdata[i];
                JsonObject *node = objects_get(target.objects, path, IFACE_NODE);
                JsonObject *contact = objects_get(target.objects, path, IFACE_CONTACT);
                g_autofree char *status = format_time(json_int(node, "StatusUSec"));
                g_autofree char *telemetry = format_time(json_int(node, "TelemetryUSec"));

                if (options->json) {
                        JsonObject *both = objects_to_json(target.objects, path, IFACE_CONTACT);

                        json_merge(both, node);
                        json_array_add_object_element(array, both);
                        continue;
                }
                table_add(table, json_string(contact, "Name"));
                table_add(table, json_string(contact, "Type"));
                table_add_format(table, "%.12s", json_string(contact, "Key"));
                table_add(table, json_bool(node, "LoggedIn") ? json_string(node, "Permissions") : NULL);
                table_add(table, status);
                table_add(table, telemetry);
        }
        if (options->json)
                json_print_document(json_node_init_array(json_node_alloc(), array));
        else
                table_print(table);
        return EXIT_CODE_OK;
}

#define PART(id, run_, args_, summary_, max_, ...)                                        \
        static const Verb node_##id = {.name = "node " #id,                               \
                                       .arguments = args_,                                \
                                       .summary = summary_,                               \
                                       .min_words = args_[0] == 'N' ? 1 : 0,              \
                                       .max_words = max_,                                 \
                                       .word = args_[0] == 'N' ? WORD_CONTACT : WORD_ANY, \
                                       .run = run_,                                       \
                                       __VA_ARGS__}

static const VerbOption poll_options[] = {
                {"watch", 'w', "TIME", "Ask again and again, with this time between", WORD_ANY, NULL},
                {"legacy", 0, NULL, "By the command of radios before 1.7.3", WORD_ANY, NULL},
                {}};
static const VerbOption login_options[] = {
                {"password-file", 'p', "FILE", "Read the password from FILE", WORD_ANY, NULL},
                {"blank", 0, NULL, "Without a password: the node has us in its list", WORD_ANY, NULL},
                {"force", 0, NULL, "Also when this password was refused lately", WORD_ANY, NULL},
                {}};
static const VerbOption mma_options[] = {
                {"since", 0, "TIME", "From then on (default: 1d, a day ago)", WORD_ANY, NULL},
                {"until", 0, "TIME", "Until then (default: now)", WORD_ANY, NULL},
                {}};
static const VerbOption neighbour_options[] = {
                {"order", 'o', "ORDER", "newest, oldest, strongest or weakest first", WORD_CHOICE,
                 "newest oldest strongest weakest"},
                {"limit", 'n', "N", "At most N (default: all)", WORD_ANY, NULL},
                {}};
static const VerbOption owner_options[] = {
                {"full", 0, NULL, "As one who is logged in, with the firmware", WORD_ANY, NULL}, {}};

PART(list, run_list, "", "List the nodes that can be asked", 0);
PART(login, run_login, "NODE", "Log in; the password is read from the terminal or standard input", 1,
     .options = login_options);
PART(logout, run_logout, "NODE", "Forget the password", 1);
PART(status, run_status, "NODE", "Get the counters of a node", 1, .options = poll_options);
PART(telemetry, run_telemetry, "NODE", "Get what a node measures", 1, .options = poll_options);
PART(mma, run_mma, "NODE", "Get minimum, maximum and average of a sensor", 1, .options = mma_options);
PART(acl, run_acl, "NODE", "Get the access list of a node", 1);
PART(neighbours, run_neighbours, "NODE", "Get the repeaters that a repeater hears", 1,
     .options = neighbour_options);
PART(owner, run_owner, "NODE", "Get name and owner, without being logged in", 1, .options = owner_options);
PART(regions, run_regions, "NODE", "Get the regions that a node serves", 1);
PART(basic, run_basic, "NODE", "Get the clock of a node and what it does", 1);
PART(command, run_command, "NODE WORD…", "Run a command on a node; - reads it from standard input", 64,
     .examples = "  meshcorectl node command Hilltop get name\n"
                 "  echo 'password new' | meshcorectl node command Hilltop -\n");
PART(request, run_request, "NODE HEX", "Send type and parameters of a request, show the bytes that come", 2);
PART(connection, run_connection, "NODE", "Tell whether the radio keeps a connection to a node alive", 1);
PART(path, run_path, "NODE", "Find the way to a contact and back", 1);

static const Verb *const parts[] = {
                &node_list,    &node_login,      &node_logout, &node_status,  &node_telemetry, &node_mma,
                &node_acl,     &node_neighbours, &node_owner,  &node_regions, &node_basic,     &node_command,
                &node_request, &node_connection, &node_path,   NULL,
};

const Verb verb_node = {
                .name = "node",
                .summary = "Ask repeaters, rooms and sensors",
                .description = "An answer can take minutes on a slow mesh. Ctrl-C gives the question up.\n"
                               "\n"
                               "With --json: what the method of org.meshcored1.Node returns, with --watch "
                               "one\n"
                               "line each time.\n",
                .examples = "  meshcorectl node login Hilltop\n"
                            "  meshcorectl node status Hilltop --watch 15min\n"
                            "  meshcorectl node telemetry Greenhouse --json\n",
                .parts = parts,
};
