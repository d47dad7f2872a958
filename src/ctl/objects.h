/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The daemon's objects as a snapshot that signals keep fresh: radios, contacts
 * and channels by path, their properties as JSON. */

#include "client.h"
#include "json-out.h"

#define IFACE_CHANNEL  CTL_SERVICE ".Channel"
#define IFACE_CHANNELS CTL_SERVICE ".Channels"
#define IFACE_CONTACT  CTL_SERVICE ".Contact"
#define IFACE_CONTACTS CTL_SERVICE ".Contacts"
#define IFACE_MANAGER  CTL_SERVICE ".Manager"
#define IFACE_MESSAGE  CTL_SERVICE ".Message"
#define IFACE_MESSAGES CTL_SERVICE ".Messages"
#define IFACE_MONITOR  CTL_SERVICE ".Monitor"
#define IFACE_PAIRING  CTL_SERVICE ".Pairing"
#define IFACE_RADIO    CTL_SERVICE ".Radio"

typedef struct Objects Objects;

ExitCode objects_load(Client *client, Objects **ret);
/* The same without words, with a limit in µs: a negative errno. */
int objects_load_quietly(Client *client, uint64_t timeout_usec, sd_bus_error *error, Objects **ret);
Objects *objects_free(Objects *objects);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Objects, objects_free)

/* Applies InterfacesAdded, InterfacesRemoved or PropertiesChanged; others are ignored. */
void objects_apply(Objects *objects, sd_bus_message *signal);

/* Properties of one interface, borrowed; NULL when it isn't there. */
JsonObject *objects_get(Objects *objects, const char *path, const char *interface);

/* Paths of all objects with the interface at or below a path (NULL: all), sorted for people: radios by
 * Id, contacts by name, channels by slot. Borrowed strings, valid until the objects change. */
GPtrArray *objects_list(Objects *objects, const char *below, const char *interface);

/* The radios that --radio means, or all. Fails with NOT_FOUND when it names none. */
ExitCode objects_radios(Objects *objects, const CtlOptions *options, GPtrArray **ret);
/* Exactly one. */
ExitCode objects_radio(Objects *objects, const CtlOptions *options, const char **ret);

/* The path of the radio that an object belongs to, borrowed; NULL when none. */
const char *objects_radio_of(Objects *objects, const char *path);
const char *objects_radio_id(Objects *objects, const char *path); /* "" */

/* Looks a recipient up in one radio, by the daemon's rule: object path, key, #channel, or the one that has
 * this exact name or, with at least 8 hex digits, a key that begins so. "#name" also finds a channel that is
 * called just name. Returns 1 with *ret borrowed, 0 when there is none, or -ENOTUNIQ with the candidates as
 * text. */
int objects_find_recipient(Objects *objects, const char *radio, const char *name, const char **ret,
                           char **ret_candidates);
/* The same among the contacts alone. */
int objects_find_contact(Objects *objects, const char *radio, const char *name, const char **ret,
                         char **ret_candidates);
/* What may have been meant by a name that there is none of (suggest.h), among the contacts, the channels or
 * both; otherwise where to look them up: to stand behind "there is no …". Allocated. */
char *objects_suggest(Objects *objects, const char *radio, const char *name, bool contacts, bool channels);
/* A channel by slot, exact name, or name without its leading '#'. */
int objects_find_channel(Objects *objects, const char *radio, const char *name, const char **ret,
                         char **ret_candidates);

/* A copy of the properties of interface at path with Path and Radio (its Id) in front: what --json prints. */
JsonObject *objects_to_json(Objects *objects, const char *path, const char *interface);
