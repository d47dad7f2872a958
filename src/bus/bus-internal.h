/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Shared by the files of this room.
 *
 * A BusRadio follows a radio whether or not there is a connection; its slots
 * live as long as a connection. Nothing is emitted before the name is owned:
 * what changed until then is simply there when a client looks. */

#include <stdint.h>
#include <systemd/sd-bus.h>

#include "backoff.h"
#include "bus.h"
#include "channels-api.h"
#include "contacts-api.h"
#include "macros.h"
#include "monitor-api.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_bus_message, sd_bus_message_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_bus_creds, sd_bus_creds_unref)

#define BUS_LOG_PATH "/org/freedesktop/LogControl1"
#define BUS_LOG      "org.freedesktop.LogControl1"

#define BUS_PAIRING  "org.meshcored1.Pairing"
#define BUS_MANAGER  "org.meshcored1.Manager"
#define BUS_RADIO    "org.meshcored1.Radio"
#define BUS_CONTACTS "org.meshcored1.Contacts"
#define BUS_CONTACT  "org.meshcored1.Contact"
#define BUS_CHANNELS "org.meshcored1.Channels"
#define BUS_CHANNEL  "org.meshcored1.Channel"
#define BUS_MESSAGES "org.meshcored1.Messages"
#define BUS_MESSAGE  "org.meshcored1.Message"
#define BUS_MONITOR  "org.meshcored1.Monitor"
#define BUS_NODE     "org.meshcored1.Node"
#define BUS_REQUEST  "org.meshcored1.Request"

/* Most messages of a radio that are announced as objects. */
#define BUS_WINDOW_MAX 256
/* Most calls of one uid that wait for something. */
#define BUS_CALLERS_MAX 16
/* Most calls of one uid that polkit is asked about; a program may send many without waiting. */
#define BUS_CHECKS_MAX 256
/* Most messages that List returns, and that MarkRead and Delete take. */
#define BUS_LIST_MAX  500
#define BUS_BATCH_MAX 1000
/* Optional signals (adverts) are left out while more than this waits to be written. */
#define BUS_QUEUE_HIGH 4096

typedef struct BusAgent BusAgent;
typedef struct BusCache BusCache;
typedef struct BusCaller BusCaller;
typedef struct BusDiscovery BusDiscovery;
typedef struct BusList BusList;
typedef struct BusQuestion BusQuestion;
typedef struct BusRadio BusRadio;

/* What a find callback hands to the handlers and getters of an object. There
 * is one of each kind in a BusRadio, valid until the next is looked up: sd-bus uses it at once.
 * A handler that changes the model must not use it afterwards. */
typedef struct BusContact {
        BusRadio *radio;
        Contact *contact;
} BusContact;

typedef struct BusChannel {
        BusRadio *radio;
        Channel *channel;
} BusChannel;

typedef struct BusMessage {
        BusRadio *radio;
        const Message *message;
} BusMessage;

/* bus-window.c; all ids in order */
typedef struct BusWindow {
        GArray *ids;   /* uint64_t: of the announced messages */
        GArray *open;  /* uint64_t: of our own ones among them that are on their way */
        GArray *added; /* uint64_t: of those that came since, unless it is stale */
        bool stale;
} BusWindow;

struct BusRadio {
        Bus *bus;
        Radio *radio;
        Identity *identity; /* the one that is observed; NULL while the radio has none */
        Pending *pending;   /* of that identity */
        char *path;
        GPtrArray *slots;
        BusWindow window;
        BusCache *cache;
        GQueue lists;      /* BusList: calls of List that take their time */
        char *pair_caller; /* who called Pair last, whose agent is asked first */
        GQueue streams;    /* BusStream */
        BusContact found_contact;
        BusChannel found_channel;
        BusMessage found_message;
};

struct Bus {
        sd_event *event;
        Manager *manager;
        BusKind kind;
        sd_bus *conn; /* NULL between connections */
        bool owned;
        bool told_waiting; /* that there is no bus yet */
        sd_event_source *retry;
        Backoff backoff;
        bus_ready_t ready;
        void *ready_userdata;
        GPtrArray *slots;
        GPtrArray *radios;
        GHashTable *uids;     /* unique name → uid; a unique name never has another owner */
        GQueue callers;       /* BusCaller */
        GQueue checks;        /* Check of bus-auth.c: calls that polkit is asked about */
        uint64_t n_checks;    /* ever */
        GQueue inhibitions;   /* BusInhibition */
        GQueue discoveries;   /* BusDiscovery */
        GQueue agents;        /* BusAgent, the last one first */
        GQueue questions;     /* BusQuestion */
        int sleep_delay;      /* logind waits for us while it is open; negative: it does not */
        bool sleeping;        /* logind said so */
        GHashTable *requests; /* path → BusRequest */
        uint64_t n_requests;  /* ever without a token */
        GQueue changes;       /* in order of the first change */
        GHashTable *changed;  /* path → link in changes */
        sd_event_source *flush;
        sd_event_source *exit;
        sd_event_source *backup; /* one is being made */
        BusCaller *backup_caller;
};

/* -- bus.c: the connection ------------------------------------------------ */

/* Without a connection. */
Bus *bus_new_detached(sd_event *event, Manager *manager, BusKind kind);
/* Exports everything on conn, takes a reference. bus_claimed() follows when the name is owned. */
int bus_attach(Bus *bus, sd_bus *conn);
void bus_claimed(Bus *bus);
/* Ends the connection and what belongs to it; does not begin a new one. */
void bus_detach(Bus *bus);
/* A signal that clients rely on could not be sent: their picture is wrong, so the connection is
 * given up and another one made. */
void bus_give_up(Bus *bus, int error, const char *what);

/* -- bus-tree.c: radios and their identities ------------------------------- */

extern const RadioObserver bus_radio_observer; /* userdata: Bus */

/* Neither exports nor announces anything. */
BusRadio *bus_radio_new(Bus *bus, Radio *radio);
BusRadio *bus_radio_free(BusRadio *self);
BusRadio *bus_find_radio(Bus *bus, Radio *radio);
int bus_radio_export(BusRadio *self);
void bus_radio_unexport(BusRadio *self);

/* -- bus-window.c ---------------------------------------------------------- */

void bus_window_init(BusWindow *window);
void bus_window_done(BusWindow *window);
/* A received message, unread, and newer than all that are there. Announced at the next refresh. */
void bus_radio_add_to_window(BusRadio *self, uint64_t id);
/* Something else has changed: the next refresh reads the store. */
void bus_radio_mark_window(BusRadio *self);
/* Announces the messages that belong in the window now, and withdraws those that no longer do. */
void bus_radio_refresh_window(BusRadio *self);
/* Withdraws them all. */
void bus_radio_clear_window(BusRadio *self);

/* Through the cache; NULL when there is none. */
const Message *bus_radio_get_message(BusRadio *self, uint64_t id);
/* The channel whose object has this slot in its path; NULL when there is none. */
Channel *bus_radio_get_channel(BusRadio *self, unsigned slot);

/* A getter of a property, and a find callback, as sd-bus wants them. */
#define BUS_GETTER(name)                                                                            \
        static int property_get_##name(sd_bus *conn, const char *object, const char *interface,     \
                                       const char *property, sd_bus_message *reply, void *userdata, \
                                       sd_bus_error *error)
#define BUS_PROPERTY(name, type, getter, flags) SD_BUS_PROPERTY(name, type, property_get_##getter, 0, flags)

/* -- the interfaces ------------------------------------------------------- */

extern const sd_bus_vtable bus_manager_vtable[];
extern const sd_bus_vtable bus_log_vtable[];      /* nothing */
extern const sd_bus_vtable bus_radio_vtable[];    /* userdata: BusRadio */
extern const sd_bus_vtable bus_pairing_vtable[];  /* BusRadio, of those that can be paired */
extern const sd_bus_vtable bus_contacts_vtable[]; /* BusRadio */
extern const sd_bus_vtable bus_channels_vtable[]; /* BusRadio */
extern const sd_bus_vtable bus_messages_vtable[]; /* BusRadio */
extern const sd_bus_vtable bus_monitor_vtable[];  /* BusRadio */
extern const sd_bus_vtable bus_mesh_vtable[];     /* the rest of it */
extern const sd_bus_vtable bus_contact_vtable[];  /* BusContact */
extern const sd_bus_vtable bus_node_vtable[];     /* BusContact */
extern const sd_bus_vtable bus_channel_vtable[];  /* BusChannel */
extern const sd_bus_vtable bus_message_vtable[];  /* BusMessage */
/* The rest of the Radio interface. */
extern const sd_bus_vtable bus_radio_settings_vtable[], bus_radio_tools_vtable[];

/* Which of the two kinds of Import a URI belongs to. */
bool bus_is_channel_uri(const char *uri);

/* Emitters, next to the interface that describes the signal. Each does nothing while the name is not owned.
 */
void bus_emit_state_changed(BusRadio *self, RadioState from, RadioState to, RadioReason reason);
void bus_emit_identity_changed(BusRadio *self, const PublicKey *from, const PublicKey *to);
void bus_emit_advert_heard(BusRadio *self, const Contact *contact, bool stored);
void bus_emit_full(BusRadio *self);
void bus_emit_node_result(BusRadio *self, const PublicKey *key, const NodeAnswer *answer);
void bus_emit_data(BusRadio *self, const HeardData *data);
void bus_emit_trace(BusRadio *self, const NodeAnswer *answer);
void bus_node_changed(BusRadio *self, const PublicKey *key, unsigned what); /* NodeChange */
void bus_emit_pending_removed(BusRadio *self, const Contact *contact);
void bus_emit_received(BusRadio *self, const Message *message);
void bus_emit_message_state(BusRadio *self, const Message *message);
void bus_emit_deleted(BusRadio *self, const uint64_t *ids, size_t n);
void bus_emit_unknown_frame(BusRadio *self, uint8_t code, Slice rest);

void bus_queue_radio(BusRadio *self, RadioChange what);
void bus_queue_contact(BusRadio *self, const Contact *contact, ContactChange what);
void bus_queue_channel(BusRadio *self, const Channel *channel, ChannelChange what);
void bus_queue_message(BusRadio *self, const Message *message, MessageChange what);

/* The keys Type, Name, Location and LastAdvertUSec of a node, entries of an open a{sv}. */
int bus_append_advert(sd_bus_message *m, const Contact *contact);

/* -- bus-changes.c: announcements and coalesced changes ---------------------- */

bool bus_can_emit(const Bus *bus);
void bus_emit_added(Bus *bus, const char *path);
/* interfaces: NULL-terminated, those of ours. */
void bus_emit_removed(Bus *bus, const char *path, const char *const *interfaces);
/* A new signal, or NULL while nothing may be emitted. */
sd_bus_message *bus_signal_new(Bus *bus, const char *path, const char *interface, const char *member);
/* The same for one that may be left out, and is while the bus cannot keep up. */
sd_bus_message *bus_optional_signal_new(Bus *bus, const char *path, const char *interface,
                                        const char *member);
/* Takes the signal, built with result r. */
void bus_signal_send(Bus *bus, sd_bus_message *signal, int r);
/* interface and property are static strings. */
void bus_queue_changed(Bus *bus, const char *path, const char *interface, const char *property);
/* Drops what is queued for path. */
void bus_forget_changes(Bus *bus, const char *path);
/* At the next turn of the loop. */
void bus_schedule_flush(Bus *bus);
void bus_changes_init(Bus *bus);
void bus_changes_clear(Bus *bus);

/* -- bus-path.c ----------------------------------------------------------- */

char *bus_path_radio(const char *id);
char *bus_path_contact(const BusRadio *self, const PublicKey *key);
char *bus_path_channel(const BusRadio *self, const Channel *channel);
char *bus_path_message(const BusRadio *self, uint64_t id);
/* The conversation's side of a message, "/" when there is no object; allocated. */
char *bus_path_peer(const BusRadio *self, const Message *message);
char *bus_path_message_channel(const BusRadio *self, const Message *message);

/* Take a path apart; -EINVAL when it is not of this radio and kind. */
int bus_path_parse_contact(const BusRadio *self, const char *path, PublicKey *ret);
int bus_path_parse_channel(const BusRadio *self, const char *path, unsigned *ret);
int bus_path_parse_message(const BusRadio *self, const char *path, uint64_t *ret);

/* -- bus-cache.c: messages that were read lately ------------------------------ */

BusCache *bus_cache_new(size_t capacity);
BusCache *bus_cache_free(BusCache *cache);
/* Valid until the next call of another function. */
const Message *bus_cache_get(BusCache *cache, uint64_t id);
/* Takes the message, and replaces an older state of it. */
const Message *bus_cache_put(BusCache *cache, Message *message);
bool bus_cache_has(const BusCache *cache, uint64_t id);
void bus_cache_drop(BusCache *cache, uint64_t id);
void bus_cache_clear(BusCache *cache);

/* -- bus-record.c ----------------------------------------------------------- */

/* One property of a message, as a bare value. -ENOENT for an unknown name. */
int bus_record_append_field(sd_bus_message *m, const BusRadio *self, const Message *message,
                            const char *name);
/* All of them, as a{sv}. */
int bus_record_append(sd_bus_message *m, const BusRadio *self, const Message *message);
/* One entry of an a{sv}; the value is given as to sd_bus_message_append(). */
int bus_append_entry(sd_bus_message *m, const char *key, const char *type, ...);
/* Checks, in debugging builds, what sd-bus would refuse. */
const char *bus_text(const char *text);

/* -- bus-errors.c: the one map from outcomes to names ----------------------- */

const char *bus_error_name(OutcomeCode code);
/* For the end of a handler: sets error and returns a negative errno. */
int bus_error_outcome(sd_bus_error *error, const Outcome *outcome);
int bus_error_set(sd_bus_error *error, OutcomeCode code, const char *format, ...)
                __attribute__((format(printf, 3, 4)));
/* Arguments that sd-bus could not read, such as a string with noncharacters. */
int bus_error_arguments(sd_bus_error *error, int r);
/* A negative errno of the model. */
int bus_error_errno(sd_bus_error *error, int r, const char *what);
/* For a call that is answered later. */
void bus_reply_outcome(sd_bus_message *call, const Outcome *outcome);

/* -- bus-auth.c: who may do what -------------------------------------------- */

typedef enum BusAction {
        BUS_ACTION_READ,
        BUS_ACTION_SEND,
        BUS_ACTION_CONFIGURE,
        BUS_ACTION_ADMINISTER,
        _BUS_ACTION_MAX,
        _BUS_ACTION_INVALID = -22,
} BusAction;

const char *bus_action_to_string(BusAction action);

/* The right that a method needs; administer for one that the table does not know. */
BusAction bus_auth_action(const char *interface, const char *member);
/* What may be decided from the uid alone, where there is no polkit: 1 allowed, 0 refused. */
int bus_auth_decide(BusKind kind, BusAction action, uid_t sender, uid_t own);

/* Whether the sender of call may do it. Returns > 0 when it may, 0 when the call will be
 * dispatched again once that is decided (return 1 from the handler then), or a negative errno with error set.
 */
int bus_authorize(Bus *bus, sd_bus_message *call, sd_bus_error *error);
/* The connection goes: with answer, calls that polkit is asked about are told. */
void bus_checks_detach(Bus *bus, bool answer);
/* Who called. */
int bus_caller_uid(Bus *bus, sd_bus_message *call, uid_t *ret, sd_bus_error *error);

/* -- bus-track.c: calls that are answered later ------------------------------- */

/* How far a message must have come. */
typedef enum BusWait {
        BUS_WAIT_QUEUED,
        BUS_WAIT_SENT,
        BUS_WAIT_DELIVERED,
        _BUS_WAIT_MAX,
        _BUS_WAIT_INVALID = -22,
} BusWait;

/* Remembers call, under the limit of its uid. With -EBUSY and error set when that is reached. */
int bus_caller_new(Bus *bus, sd_bus_message *call, BusCaller **ret, sd_bus_error *error);
BusCaller *bus_caller_free(BusCaller *caller);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BusCaller, bus_caller_free)
/* gone runs when the caller left the bus before it was answered. */
void bus_caller_set_gone(BusCaller *caller, void (*gone)(void *userdata), void *userdata);
/* The call to answer; NULL when the caller or the connection is gone. */
sd_bus_message *bus_caller_call(BusCaller *caller);
Bus *bus_caller_bus(BusCaller *caller);
/* Takes the caller, who is answered when the message gets there, or cannot any more. */
void bus_caller_wait(BusCaller *caller, BusRadio *radio, const Message *message, BusWait wait);
void bus_callers_message_changed(BusRadio *radio, const Message *message);
/* The objects of radio go: those who wait there get Cancelled. */
void bus_callers_radio_gone(BusRadio *radio);
/* The connection goes: with answer, waiting calls are told; otherwise they are dropped. */
void bus_callers_detach(Bus *bus, bool answer);

/* -- bus-request.c, bus-node.c: what is asked of other nodes ------------------- */

/* The connection goes: all are given up. After bus_callers_detach(). */
void bus_requests_detach(Bus *bus);
int bus_method_discover_path(sd_bus_message *call, void *userdata, sd_bus_error *error); /* BusContact */

/* -- bus-mesh.c ---------------------------------------------------------------- */

int bus_method_get_advert_path(sd_bus_message *call, void *userdata, sd_bus_error *error);
int bus_method_has_connection(sd_bus_message *call, void *userdata, sd_bus_error *error);
int bus_method_refresh(sd_bus_message *call, void *userdata, sd_bus_error *error);

/* -- bus-list.c ---------------------------------------------------------------- */

int bus_method_list(sd_bus_message *call, void *userdata, sd_bus_error *error);
/* The messages go: who still reads them gets Cancelled. */
void bus_lists_drop(BusRadio *self);

/* -- bus-backup.c ------------------------------------------------------------- */

/* Replies later. fd is the call's. */
int bus_backup(Bus *bus, sd_bus_message *call, int fd, sd_bus_error *error);
void bus_backup_stop(Bus *bus);

/* -- bus-agent.c: clients that can ask a person for a PIN ----------------------- */

extern uint64_t bus_agent_usec;      /* how long an agent may take; tests shorten it */
extern const PinAsker bus_pin_asker; /* userdata: Bus */
/* A question about this radio that is under way goes to the one who called Pair. */
void bus_agents_prefer(BusRadio *self);
int bus_method_register_agent(sd_bus_message *call, void *userdata, sd_bus_error *error);   /* Bus */
int bus_method_unregister_agent(sd_bus_message *call, void *userdata, sd_bus_error *error); /* Bus */
/* The connection goes. */
void bus_agents_detach(Bus *bus);

/* -- bus-discover.c: radios that are there, and bonds --------------------------- */

int bus_method_discover(sd_bus_message *call, void *userdata, sd_bus_error *error);    /* Bus */
int bus_method_list_bonds(sd_bus_message *call, void *userdata, sd_bus_error *error);  /* Bus */
int bus_method_forget_bond(sd_bus_message *call, void *userdata, sd_bus_error *error); /* Bus */
/* The connection goes, and with it all who asked. */
void bus_discoveries_stop(Bus *bus);

/* -- bus-inhibit.c: radios handed over ---------------------------------------- */

/* Most at a time. */
#define BUS_INHIBITIONS_MAX 16

typedef struct BusInhibition BusInhibition;

/* Replies with the descriptor as soon as the port is free. */
int bus_inhibit(BusRadio *radio, sd_bus_message *call, const char *why, sd_bus_error *error);
/* A port may have become free. */
void bus_inhibitions_answer(Bus *bus);
/* The connection is gone, or about to go: who still waits gets no radio, and an answer if tell. */
void bus_inhibitions_detach(Bus *bus, bool tell);
void bus_inhibitions_clear(Bus *bus);

/* -- bus-stream.c: records through a file descriptor --------------------------- */

/* Most at a time, of one uid and of all. */
#define BUS_STREAMS_PER_UID 4
#define BUS_STREAMS_MAX     64

typedef enum BusStreamKind {
        BUS_STREAM_RX_LOG,
        BUS_STREAM_FRAMES,
        _BUS_STREAM_KIND_MAX,
} BusStreamKind;

/* Replies with the descriptor. The stream ends when its last copy is closed, or with the object of the
 * radio; neither the link nor the connection to the bus matters. */
int bus_stream_open(BusRadio *self, BusStreamKind kind, sd_bus_message *call, sd_bus_error *error);
/* record is a JSON object that lacks its last brace. */
void bus_streams_send(BusRadio *self, BusStreamKind kind, const GString *record);
void bus_streams_clear(BusRadio *self);

/* -- bus-monitor.c ------------------------------------------------------------- */

/* The first stream of this kind was opened, or the last one closed. */
void bus_monitor_watch(BusRadio *self, BusStreamKind kind, bool watch);

/* -- bus-sleep.c: suspend and resume ------------------------------------------ */

int bus_sleep_watch(Bus *bus, sd_bus_slot **ret);
/* A port may have become free. */
void bus_sleep_update(Bus *bus);
/* The connection is gone. */
void bus_sleep_forget(Bus *bus);

/* -- bus-options.c ----------------------------------------------------------- */

/* A key that a{sv} may have. types lists the basic types it may come in, or is one complete other type. ret
 * is a const char ** for strings and paths (borrowed from the message), int * for b, uint8_t * for y,
 * uint32_t * for u, uint64_t * for t; or whatever read wants, which gets what is inside of the
 * variant and sets error. Left alone when the key is missing. */
typedef struct BusOption {
        const char *key;
        const char *types;
        void *ret;
        int (*read)(sd_bus_message *m, const char *signature, void *ret, sd_bus_error *error);
} BusOption;

/* At most 30 keys. Returns those that were there, as bits: 1 << their index in options. */
int bus_read_options(sd_bus_message *m, const BusOption *options, size_t n, sd_bus_error *error);

/* -- bus-contact-fields.c ------------------------------------------------------ */

typedef struct BusContactFields {
        PublicKey key; /* of Add */
        bool has_key;
        ContactFields fields;
        PathHop path[CONTACT_PATH_HOPS_MAX];
} BusContactFields;

/* The a{sv} of Add, which has a Key, and of Update. fields points into *ret and
 * to strings of the message. */
int bus_read_contact_fields(sd_bus_message *m, bool with_key, BusContactFields *ret, sd_bus_error *error);
/* An aay. ret has room for CONTACT_PATH_HOPS_MAX. */
int bus_read_path(sd_bus_message *m, PathHop *ret, size_t *ret_n, sd_bus_error *error);

/* -- bus-heard.c: adverts that are pending, and automatic adding ------------------ */

extern const PendingObserver bus_pending_observer; /* userdata: BusRadio */

int bus_property_get_auto_add(sd_bus *conn, const char *object, const char *interface, const char *property,
                              sd_bus_message *reply, void *userdata, sd_bus_error *error);
int bus_property_get_pending(sd_bus *conn, const char *object, const char *interface, const char *property,
                             sd_bus_message *reply, void *userdata, sd_bus_error *error);
int bus_method_set_auto_add(sd_bus_message *call, void *userdata, sd_bus_error *error);
int bus_method_list_pending(sd_bus_message *call, void *userdata, sd_bus_error *error);
int bus_method_dismiss_pending(sd_bus_message *call, void *userdata, sd_bus_error *error);

/* -- bus-answer.c: calls that end when the radio is done --------------------------- */

/* Authorises call and remembers it. As bus_authorize(); *ret is what the functions below take. */
int bus_answer_later(Bus *bus, sd_bus_message *call, BusCaller **ret, sd_bus_error *error);
/* The same after the arguments were read, as by sd_bus_message_read(). */
int bus_answer_later_read(Bus *bus, sd_bus_message *call, BusCaller **ret, sd_bus_error *error,
                          const char *types, ...);

/* For replies with more in them. Returns 1 with a new reply, or 0 or a negative errno when there is nothing
 * left to do: nobody waits, or the caller was told what went wrong. */
int bus_answer_new(BusCaller *caller, const Outcome *outcome, sd_bus_message **ret);
/* r is how putting the reply together went. */
void bus_answer_send(sd_bus_message *reply, int r);

/* For the radio's requests; userdata is the BusCaller. The reply has nothing in it, the path of a
 * contact or channel, a URI, or the bytes of a card. */
void bus_answer(Radio *radio, const Outcome *outcome, void *userdata);
void bus_answer_changed(Radio *radio, const Outcome *outcome, Contact *contact, void *userdata);
void bus_answer_contact(Radio *radio, const Outcome *outcome, Contact *contact, void *userdata);
void bus_answer_channel(Radio *radio, const Outcome *outcome, Channel *channel, void *userdata);
void bus_answer_import(Radio *radio, const Outcome *outcome, Contact *contact, Channel *channel,
                       void *userdata);
void bus_answer_uri(Radio *radio, const Outcome *outcome, Slice packet, const char *uri, void *userdata);
void bus_answer_card(Radio *radio, const Outcome *outcome, Slice packet, const char *uri, void *userdata);

/* Export and ExportSelf (key NULL), all of it. */
int bus_export_contact(BusRadio *self, const PublicKey *key, sd_bus_message *call, sd_bus_error *error);
int bus_export_card(BusRadio *self, const PublicKey *key, sd_bus_message *call, sd_bus_error *error);

/* -- bus-send.c --------------------------------------------------------------- */

typedef struct BusSend {
        SendOptions options;
        BusWait wait;
        const char *text; /* NULL: a datagram, the next two */
        uint16_t data_type;
        Slice data;
} BusSend;

/* Reads the options of a SendText from call and authorises it; as bus_authorize(). Strings are
 * borrowed from the call. */
int bus_send_begin(Bus *bus, BusSend *ret, sd_bus_message *call, sd_bus_error *error);
/* Sends text or data of send, and replies now or later. */
int bus_send_finish(const BusSend *send, BusRadio *self, const Recipient *to, sd_bus_message *call,
                    sd_bus_error *error);
/* The SendText of a contact or channel. */
int bus_send_text(BusRadio *self, const Recipient *to, sd_bus_message *call, sd_bus_error *error);
