/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "autobus.h"
#include "history.h"
#include "macros.h"

/* -- fetching --------------------------------------------------------------- */

static int append_filter(sd_bus_message *call, const HistoryFilter *filter) {
        const struct {
                const char *key, *value;
        } texts[] = {
                        {"State", filter->state},
                        {"Kind", filter->kind},
                        {"Direction", filter->direction},
                        {"Text", filter->text},
        };
        int r;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && filter->conversation)
                r = sd_bus_message_append(call, "{sv}", filter->is_channel ? "Channel" : "Peer",
                                          filter->conversation[0] == '/' ? "o" : "s", filter->conversation);
        if (r >= 0 && filter->unread)
                r = sd_bus_message_append(call, "{sv}", "Unread", "b", 1);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(texts); i++)
                if (texts[i].value)
                        r = sd_bus_message_append(call, "{sv}", texts[i].key, "s", texts[i].value);
        if (r >= 0 && filter->since_usec > 0)
                r = sd_bus_message_append(call, "{sv}", "SinceUSec", "t", filter->since_usec);
        if (r >= 0 && filter->until_usec > 0)
                r = sd_bus_message_append(call, "{sv}", "UntilUSec", "t", filter->until_usec);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        return r;
}

/* One page, as the daemon gives it: [[path, record], …]. */
static int fetch_page(Client *client, const char *radio, const HistoryFilter *filter, uint64_t from,
                      bool newer, unsigned limit, sd_bus_error *error, JsonNode **ret) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        int r;

        if (client_new_call(client, radio, IFACE_MESSAGES, "List", &call) != EXIT_CODE_OK)
                return -ENOTCONN;
        r = append_filter(call, filter);
        if (r >= 0)
                r = sd_bus_message_append(call, "tua{sv}", from, limit, 1, "Order", "s",
                                          newer ? "newer" : "older");
        if (r >= 0)
                r = client_send(client, call, CALL_DEFAULT, error, &reply);
        if (r >= 0 && sd_bus_message_has_signature(reply, "a(oa{sv})") <= 0)
                r = -EBADMSG;
        return r < 0 ? r : json_from_message(reply, ret);
}

static JsonArray *reversed(JsonArray *array) {
        JsonArray *out = json_array_sized_new(json_array_get_length(array));

        for (guint i = json_array_get_length(array); i-- > 0;)
                json_array_add_object_element(out, json_object_ref(json_array_get_object_element(array, i)));
        return out;
}

int history_list(Client *client, Objects *objects, const char *radio, const HistoryFilter *filter,
                 uint64_t from, bool newer, uint64_t limit, sd_bus_error *error, JsonArray **ret) {
        g_autoptr(JsonArray) messages = json_array_new();
        unsigned asked, got;

        do {
                g_autoptr(JsonNode) page = NULL;
                JsonArray *pairs;
                int r;

                asked = (unsigned) MIN(limit - json_array_get_length(messages), HISTORY_PAGE);
                if (asked == 0)
                        break;
                r = fetch_page(client, radio, filter, from, newer, asked, error, &page);
                if (r < 0)
                        return r;

                pairs = json_node_get_array(page);
                got = json_array_get_length(pairs);
                for (guint i = 0; i < got; i++) {
                        JsonArray *pair = json_array_get_array_element(pairs, i);
                        JsonObject *record = json_array_get_object_element(pair, 1);

                        from = (uint64_t) json_int(record, "Id");
                        json_array_add_object_element(messages,
                                                      history_message(objects,
                                                                      json_array_get_string_element(pair, 0),
                                                                      record));
                }
        } while (got >= asked);

        *ret = newer ? g_steal_pointer(&messages) : reversed(messages);
        return 0;
}

int history_get(Client *client, Objects *objects, const char *path, sd_bus_error *error, JsonObject **ret) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        g_autoptr(JsonNode) record = NULL;
        int r;

        if (client_new_call(client, path, "org.freedesktop.DBus.Properties", "GetAll", &call) != EXIT_CODE_OK)
                return -ENOTCONN;
        r = sd_bus_message_append(call, "s", IFACE_MESSAGE);
        if (r >= 0)
                r = client_send(client, call, CALL_DEFAULT, error, &reply);
        if (r >= 0 && sd_bus_message_has_signature(reply, "a{sv}") <= 0)
                r = -EBADMSG;
        if (r >= 0)
                r = json_from_message(reply, &record);
        if (r < 0)
                return r;

        *ret = history_message(objects, path, json_node_get_object(record));
        return 0;
}

JsonObject *history_message(Objects *objects, const char *path, JsonObject *record) {
        JsonObject *message = json_object_new();

        json_object_set_string_member(message, "Path", path);
        json_object_set_string_member(message, "Radio", objects_radio_id(objects, path));
        json_object_set_string_member(
                        message, "PeerName",
                        json_string(objects_get(objects, json_string(record, "Peer"), IFACE_CONTACT),
                                    "Name"));
        json_object_set_string_member(
                        message, "ChannelName",
                        json_string(objects_get(objects, json_string(record, "Channel"), IFACE_CHANNEL),
                                    "Name"));
        json_merge(message, record);
        return message;
}

int history_mark_read(Client *client, const char *radio, JsonArray *messages, sd_bus_error *error) {
        guint n = json_array_get_length(messages);

        for (guint begin = 0; begin < n; begin += HISTORY_PAGE) {
                _cleanup_message_ sd_bus_message *call = NULL;
                unsigned marked = 0;
                int r;

                if (client_new_call(client, radio, IFACE_MESSAGES, "MarkRead", &call) != EXIT_CODE_OK)
                        return -ENOTCONN;
                r = sd_bus_message_open_container(call, 'a', "o");
                for (guint i = begin; r >= 0 && i < MIN(n, begin + HISTORY_PAGE); i++) {
                        JsonObject *message = json_array_get_object_element(messages, i);

                        if (message_is_own(message) || json_bool(message, "Read"))
                                continue;
                        r = sd_bus_message_append(call, "o", json_string(message, "Path"));
                        marked++;
                }
                if (r >= 0)
                        r = sd_bus_message_close_container(call);
                if (r >= 0 && marked > 0)
                        r = client_send(client, call, CALL_DEFAULT, error, NULL);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* -- looks ------------------------------------------------------------------ */

bool message_is_own(JsonObject *message) {
        return strcmp(json_string(message, "State"), "received") != 0;
}

/* "" for an object path that says "none". */
static const char *path_or_nothing(JsonObject *message, const char *name) {
        const char *path = json_string(message, name);

        return strcmp(path, "/") == 0 ? "" : path;
}

static char *peer_label(JsonObject *message) {
        const char *name = json_string(message, "PeerName");
        const char *prefix = json_string(message, "PeerPrefix");

        return g_strdup(*name ? name : prefix);
}

char *message_with(JsonObject *message) {
        const char *channel = json_string(message, "ChannelName");
        bool direct = *json_string(message, "PeerPrefix") || *path_or_nothing(message, "Peer");

        if (direct)
                return peer_label(message);
        if (*channel)
                return g_strconcat(channel[0] == '#' ? "" : "#", channel, NULL);
        /* A frame that nobody could decode has no sender; a channel that left its slot no name. */
        return g_strdup(strcmp(json_string(message, "Kind"), "raw") == 0 ? "" : "#?");
}

char *message_from(JsonObject *message) {
        const char *author = json_string(message, "Author");
        const char *post = json_string(message, "AuthorKeyPrefix");

        if (message_is_own(message))
                return g_strdup("me");
        if (*author)
                return g_strdup(author);
        if (*post)
                return g_strdup(post);
        return peer_label(message);
}

char *message_body(JsonObject *message) {
        const char *kind = json_string(message, "Kind"), *data = json_string(message, "Data");

        if (strcmp(kind, "data") == 0)
                return g_strdup_printf("(data of type %" G_GINT64_FORMAT ": %s)",
                                       json_int(message, "DataType"), data);
        if (strcmp(kind, "raw") == 0)
                return g_strdup_printf("(undecoded frame: %s)", data);
        return g_strdup(json_string(message, "Text"));
}

char *message_state(JsonObject *message) {
        JsonArray *repeats = json_array(message, "Repeats");
        guint n = repeats ? json_array_get_length(repeats) : 0;

        if (!message_is_own(message))
                return g_strdup(json_bool(message, "Read") ? "read" : "unread");
        if (n > 0)
                return g_strdup_printf("%s, %u repeat%s", json_string(message, "State"), n,
                                       n == 1 ? "" : "s");
        return g_strconcat(json_string(message, "State"), json_bool(message, "Uncertain") ? "?" : "", NULL);
}

char *message_line(JsonObject *message) {
        g_autofree char *with = message_with(message), *from = message_from(message);
        g_autofree char *body = message_body(message), *state = message_state(message);

        if (message_is_own(message))
                return g_strdup_printf("me to %s: %s (%s)", with, body, state);
        if (*path_or_nothing(message, "Channel") || g_str_has_prefix(with, "#") || strcmp(with, from) != 0)
                return g_strdup_printf("[%s] %s: %s", with, from, body);
        return g_strdup_printf("%s: %s", from, body);
}
