/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Messages: fetching them page by page, and how they look. A message here is
 * the record of the daemon (org.meshcored1.Message) with Path, Radio (the
 * radio's Id), PeerName and ChannelName added. */

#include "objects.h"

#define HISTORY_PAGE 500 /* most that the daemon gives at once */

typedef struct HistoryFilter {
        const char *conversation; /* path, or the key of a peer who is no contact; NULL: all */
        bool is_channel;
        bool unread;
        const char *state, *kind, *direction; /* as the daemon calls them; NULL: any */
        const char *text;                     /* a part of it; NULL: any */
        uint64_t since_usec, until_usec;      /* 0: any */
} HistoryFilter;

/* Up to limit messages of one radio with an id below (newer: above) from, 0 meaning that end, in
 * ascending order of id; fetches as many pages as it takes. */
int history_list(Client *client, Objects *objects, const char *radio, const HistoryFilter *filter,
                 uint64_t from, bool newer, uint64_t limit, sd_bus_error *error, JsonArray **ret);

/* One message by its path. */
int history_get(Client *client, Objects *objects, const char *path, sd_bus_error *error, JsonObject **ret);

/* Makes a message of a record, which is copied. */
JsonObject *history_message(Objects *objects, const char *path, JsonObject *record);

/* Marks those that are received and unread as read, on the radio they all belong to. */
int history_mark_read(Client *client, const char *radio, JsonArray *messages, sd_bus_error *error);

bool message_is_own(JsonObject *message);
char *message_with(JsonObject *message);  /* the conversation */
char *message_from(JsonObject *message);  /* who wrote it, "me" for our own */
char *message_body(JsonObject *message);  /* text, or what there is instead */
char *message_state(JsonObject *message); /* our own: as on the bus, "?" added when uncertain; else read or
                                             unread */

/* "[#channel] author: text" or the like: raw, to be escaped. */
char *message_line(JsonObject *message);
