/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The XML in dbus/ is what we promise, the vtables are what we do: they must
 * say the same, and every member must say what it means and what right it needs. */

#include <check.h>
#include <string.h>

#include "bus-fixture.h"

#define EMITS      "org.freedesktop.DBus.Property.EmitsChangedSignal"
#define PRIVILEGED "org.freedesktop.systemd1.Privileged"

typedef struct Parser {
        GPtrArray *members; /* "interface.Name: …" */
        const char *only;   /* interfaces that begin so */
        char *interface;
        GString *member; /* while in one */
        char *kind, *name;
        char *emits;
        char *action, *since;
        char *comment; /* the last one */
        bool promised; /* XML of ours: documentation is wanted */
        unsigned n_members;
} Parser;

static const char *attribute(const char **names, const char **values, const char *name) {
        for (; *names; names++, values++)
                if (strcmp(*names, name) == 0)
                        return *values;
        return NULL;
}

static bool is_member(const char *element) {
        return strcmp(element, "method") == 0 || strcmp(element, "signal") == 0 ||
               strcmp(element, "property") == 0;
}

static void on_start(GMarkupParseContext *context, const char *element, const char **names,
                     const char **values, void *userdata, GError **error) {
        Parser *p = userdata;
        const char *name = attribute(names, values, "name");

        if (strcmp(element, "interface") == 0) {
                g_free(p->interface);
                p->interface = g_strdup(name);
                return;
        }
        if (!p->interface || !g_str_has_prefix(p->interface, p->only))
                return;

        if (is_member(element)) {
                p->member = g_string_new(NULL);
                g_string_append_printf(p->member, "%s.%s: %s", p->interface, name, element);
                if (strcmp(element, "property") == 0)
                        g_string_append_printf(p->member, " %s %s", attribute(names, values, "type"),
                                               attribute(names, values, "access"));
                p->kind = g_strdup(element);
                p->name = g_strdup(name);
                p->emits = g_strdup("true");
                return;
        }
        if (!p->member)
                return;

        if (strcmp(element, "arg") == 0)
                g_string_append_printf(p->member, " %s %s %s",
                                       attribute(names, values, "direction")
                                                       ?: (strcmp(p->kind, "method") == 0 ? "in" : "out"),
                                       attribute(names, values, "type"), name);
        else if (strcmp(element, "annotation") == 0) {
                const char *value = attribute(names, values, "value");

                ck_assert_msg(strcmp(name, PRIVILEGED) != 0, "%s.%s lacks SD_BUS_VTABLE_UNPRIVILEGED",
                              p->interface, p->name);
                if (strcmp(name, EMITS) == 0) {
                        g_free(p->emits);
                        p->emits = g_strdup(value);
                } else if (strcmp(name, "org.meshcored1.Action") == 0)
                        p->action = g_strdup(value);
                else if (strcmp(name, "org.meshcored1.Since") == 0)
                        p->since = g_strdup(value);
        }
}

/* The comment before a member begins with its name and goes on with text. */
static void check_documented(const Parser *p) {
        g_autofree char *head = g_strdup_printf("%s:", p->name);

        ck_assert_msg(p->comment && g_str_has_prefix(p->comment, head) && strlen(p->comment) > strlen(head),
                      "%s.%s is not documented", p->interface, p->name);
}

static void check_action(const Parser *p) {
        const char *granted = "read";

        ck_assert_msg(p->action, "%s.%s names no action", p->interface, p->name);
        ck_assert_msg(p->since, "%s.%s does not say since when", p->interface, p->name);
        if (strcmp(p->kind, "method") == 0)
                granted = bus_action_to_string(bus_auth_action(p->interface, p->name));
        ck_assert_msg(strcmp(p->action, granted) == 0, "%s.%s promises %s, needs %s", p->interface, p->name,
                      p->action, granted);
}

static void on_end(GMarkupParseContext *context, const char *element, void *userdata, GError **error) {
        Parser *p = userdata;

        if (!is_member(element) || !p->member)
                return;

        if (p->promised) {
                check_documented(p);
                check_action(p);
                printf("%-10s %s.%s\n", p->action, p->interface, p->name);
        }
        if (strcmp(p->kind, "property") == 0)
                g_string_append_printf(p->member, " emits %s", p->emits);

        p->n_members++;
        g_ptr_array_add(p->members, g_string_free(g_steal_pointer(&p->member), false));
        g_clear_pointer(&p->kind, g_free);
        g_clear_pointer(&p->name, g_free);
        g_clear_pointer(&p->emits, g_free);
        g_clear_pointer(&p->action, g_free);
        g_clear_pointer(&p->since, g_free);
        g_clear_pointer(&p->comment, g_free);
}

static void on_passthrough(GMarkupParseContext *context, const char *text, size_t size, void *userdata,
                           GError **error) {
        Parser *p = userdata;

        if (!g_str_has_prefix(text, "<!--"))
                return;
        g_free(p->comment);
        p->comment = g_strstrip(g_strndup(text + 4, size - 7));
}

static void parse(Parser *p, const char *xml) {
        static const GMarkupParser functions = {
                        .start_element = on_start,
                        .end_element = on_end,
                        .passthrough = on_passthrough,
        };
        g_autoptr(GMarkupParseContext) context = g_markup_parse_context_new(&functions, 0, p, NULL);
        g_autoptr(GError) error = NULL;

        ck_assert_msg(g_markup_parse_context_parse(context, xml, -1, &error) &&
                                      g_markup_parse_context_end_parse(context, &error),
                      "%s", error ? error->message : "");
        g_clear_pointer(&p->interface, g_free);
        g_clear_pointer(&p->comment, g_free);
}

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static GPtrArray *read_promised(void) {
        Parser p = {
                        .members = g_ptr_array_new_with_free_func(g_free),
                        .only = "org.meshcored1.",
                        .promised = true,
        };
        g_autoptr(GDir) dir = g_dir_open(INTERFACES_DIR, 0, NULL);
        const char *name;

        ck_assert_ptr_nonnull(dir);
        while ((name = g_dir_read_name(dir))) {
                g_autofree char *path = g_build_filename(INTERFACES_DIR, name, NULL), *xml = NULL;
                g_autofree char *interface = NULL;
                guint before = p.members->len;

                if (!g_str_has_suffix(name, ".xml"))
                        continue;
                ck_assert(g_file_get_contents(path, &xml, NULL, NULL));
                parse(&p, xml);

                /* One interface in a file, which is called after it. */
                interface = g_strndup(name, strlen(name) - strlen("xml"));
                ck_assert_uint_gt(p.members->len, before);
                for (guint i = before; i < p.members->len; i++)
                        ck_assert(g_str_has_prefix(p.members->pdata[i], interface));
        }

        g_ptr_array_sort(p.members, compare_strings);
        return p.members;
}

static void read_live(Fixture *f, Parser *p, const char *path) {
        g_autoptr(sd_bus_message) reply =
                        fixture_call(f, path, "org.freedesktop.DBus.Introspectable", "Introspect", NULL);
        const char *xml;

        assert_reply_ok(reply);
        ck_assert_int_gt(sd_bus_message_read(reply, "s", &xml), 0);
        parse(p, xml);
}

static sd_bus_message *fixture_new_status_call(Fixture *f, const char *contact) {
        sd_bus_message *call = fixture_new_call(f, contact, BUS_NODE, "GetStatus");

        ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 0), 0);
        return call;
}

START_TEST(xml_and_vtables_agree) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(GPtrArray) promised = read_promised();
        g_autofree char *message = NULL, *contact = NULL;
        g_autoptr(Contact) repeater = test_contact(2, "Ann");
        g_autoptr(sd_bus_message) status = NULL;
        PublicKey key = test_key(2);
        Parser live = {
                        .members = g_ptr_array_new_with_free_func(g_free),
                        .only = "org.meshcored1.",
        };
        Parser pairing = {.only = BUS_PAIRING};

        repeater->type = CONTACT_REPEATER;
        ck_assert_int_ge(identity_put_contact(fixture_identity(f), repeater), 0);
        fixture_add_channel(f, 3, "#test", 7);
        message = g_strdup_printf(RADIO_PATH "/message/%" PRIu64, fixture_receive(f, 2, "hi"));
        contact = g_strdup_printf(RADIO_PATH "/contact/%s", key_to_text(&key).text);

        fixture_call_async(f, fixture_new_status_call(f, contact), &status);
        fixture_run(f);
        read_live(f, &live, BUS_ROOT "/request/1");
        fake_radio_answer_node(f->radio, OUTCOME_TIMEOUT, NULL);

        read_live(f, &live, BUS_ROOT);
        read_live(f, &live, RADIO_PATH);
        read_live(f, &live, contact);
        read_live(f, &live, RADIO_PATH "/channel/3");
        read_live(f, &live, message);
        /* Its other interfaces are those of the one above. */
        (void) fake_radio_add_ble(f->manager, "ble");
        fixture_run(f);
        pairing.members = live.members;
        read_live(f, &pairing, "/org/meshcored1/radio/ble");
        g_ptr_array_sort(live.members, compare_strings);

        for (guint i = 0; i < MIN(promised->len, live.members->len); i++)
                ck_assert_str_eq(live.members->pdata[i], promised->pdata[i]);
        ck_assert_uint_eq(live.members->len, promised->len);
        ck_assert_uint_gt(promised->len, 80);
        g_ptr_array_unref(live.members);
}
END_TEST

START_TEST(unknown_members_need_administer) {
        ck_assert_int_eq(bus_auth_action(BUS_RADIO, "FactoryReset"), BUS_ACTION_ADMINISTER);
        ck_assert_int_eq(bus_auth_action(NULL, "Start"), BUS_ACTION_ADMINISTER);
        ck_assert_int_eq(bus_auth_action(BUS_RADIO, NULL), BUS_ACTION_ADMINISTER);
}
END_TEST

START_TEST(rights_by_uid) {
        static const struct {
                BusKind kind;
                BusAction action;
                uid_t sender;
                int allowed;
        } cases[] = {
                        {BUS_SYSTEM, BUS_ACTION_READ, 1001, 1},
                        {BUS_SYSTEM, BUS_ACTION_SEND, 1001, 1},
                        {BUS_SYSTEM, BUS_ACTION_CONFIGURE, 1001, 1},
                        {BUS_SYSTEM, BUS_ACTION_ADMINISTER, 1001, 0},
                        {BUS_SYSTEM, BUS_ACTION_ADMINISTER, 0, 1},
                        {BUS_SYSTEM, BUS_ACTION_ADMINISTER, 990, 1},
                        {BUS_SESSION, BUS_ACTION_READ, 1001, 0},
                        {BUS_SESSION, BUS_ACTION_SEND, 1001, 0},
                        {BUS_SESSION, BUS_ACTION_ADMINISTER, 990, 1},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                ck_assert_int_eq(bus_auth_decide(cases[i].kind, cases[i].action, cases[i].sender, 990),
                                 cases[i].allowed);
}
END_TEST

START_TEST(every_outcome_has_a_name) {
        g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);

        for (OutcomeCode code = OUTCOME_NOT_CONNECTED; code < _OUTCOME_CODE_MAX; code++) {
                ck_assert(g_str_has_prefix(bus_error_name(code), "org.meshcored1.Error."));
                ck_assert(g_hash_table_add(names, (char *) bus_error_name(code)));
        }
        ck_assert_str_eq(bus_error_name(OUTCOME_STORAGE_FULL), "org.meshcored1.Error.StorageFull");
        ck_assert_str_eq(bus_error_name(_OUTCOME_CODE_INVALID), "org.meshcored1.Error.Failed");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("bus-interface");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, xml_and_vtables_agree);
        tcase_add_test(tcase, unknown_members_need_administer);
        tcase_add_test(tcase, rights_by_uid);
        tcase_add_test(tcase, every_outcome_has_a_name);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0;
}
