/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Shared by the files of the radio room only. */

#include <systemd/sd-event.h>

#include "airtime.h"
#include "backoff.h"
#include "command.h"
#include "contacts-api.h"
#include "link.h"
#include "manager.h"
#include "monitor-api.h"
#include "radio.h"
#include "session.h"

typedef struct Sync Sync;
typedef struct Fresh Fresh;
typedef struct Receive Receive;
typedef struct Delivery Delivery;
typedef struct Hotplug Hotplug;
typedef struct Repeats Repeats;
typedef struct Requests Requests;
typedef struct Inhibitions Inhibitions;
typedef struct Nodes Nodes;

#define APP_NAME            "meshcored" /* as the radio's log shows us */
#define RESET_TOKEN_SIZE    8           /* bytes, shown as hex */
#define CHANNELS_MAX_UNTOLD 8           /* level < 3 does not say how many */

/* No sane host clock is earlier than this version (2026-11-01): a Pi without a
 * battery must not push the radio's clock, which never goes back. */
#define CLOCK_FLOOR_S UINT32_C(1793491200)

/* Who looks on; a function of NULL: nobody. */
typedef struct Watch {
        radio_record_t function;
        void *userdata;
} Watch;

struct Radio {
        Manager *manager;
        RadioSettings *settings;

        RadioState state;
        RadioReason reason;
        OutcomeCode last_error;
        char *last_error_message;
        unsigned attempts;
        Backoff backoff;
        sd_event_source *retry;  /* armed in RADIO_WAITING */
        uint64_t entered_usec;   /* boot time of the last change of state */
        uint64_t ready_usec;     /* boot time of the last RADIO_READY; 0: not since the last end */
        sd_event_source *finish; /* finish.c: while it is there nothing is popped and no text is begun */
        bool gave_up;            /* it fired, and an answer had not come */
        bool stopping;           /* as soon as all has finished */
        bool start_again;        /* and then to be started again */
        bool suspending;         /* the same, for somebody else who wants the port */
        unsigned short_lives;    /* links in a row that the peer closed soon after ready */

        Link *link;
        Session *session;             /* from link opened to radio_drop_link() */
        char *device;                 /* serial: the port that was opened last, without links */
        char *port_id;                /* serial: of SerialPort */
        bool other_lines;             /* serial: mute, so the modem lines are set the other way for one try */
        bool lines_tried;             /* … which was done, and did not help either */
        bool retry_now;               /* the next try does not wait */
        sd_event_source *failure;     /* an open that failed at once, told at the next turn */
        sd_event_source *first_start; /* the first radio_start(), at the next turn */

        RadioInfo info;
        Identity *identity;
        Pending *pending;        /* with the identity */
        bool identity_confirmed; /* SELF_INFO of this session told the key */
        uint64_t flushed_usec;   /* boot time of the last radio_flush() that wrote */
        AutoAdd auto_add;
        bool restarting; /* told to, and about to go */
        Airtime airtime;
        uint64_t flood_advert_usec;                 /* boot time of the last one by us; 0: none */
        char reset_token[2 * RESET_TOKEN_SIZE + 1]; /* "": none */
        uint64_t reset_until_usec;                  /* boot time */
        int changing_slot;                          /* of a channel; -1: none. No text goes to it meanwhile */

        Sync *sync;
        Fresh *fresh;
        Receive *receive;
        Delivery *delivery;
        Requests *requests;
        Repeats *repeats;
        Nodes *nodes;
        GQueue pings; /* refused ones, to be told at the next turn */

        unsigned n_links; /* ever opened */
        Watch packet_watch, frame_watch;

        Bond *bond;           /* of TRANSPORT_BLE */
        GQueue bond_requests; /* bonding.c */
        sd_event_source *bond_told;
        char *ble_address;    /* of the last link that found the radio */
        bool pin_asked;       /* somebody is being asked for the PIN */
        bool pin_refused;     /* … and did not give it */
        unsigned n_pins;      /* that agents gave since one was right */
        uint64_t pin_usec;    /* boot time of the last of them */
        BluezWatch *forgets;  /* while bluetoothd is asked to forget */
        char *forgets_device; /* its path there */
};

/* Timing that a test may shorten. */
typedef struct RadioTiming {
        SessionTiming session;
        uint64_t backoff_first_usec; /* 1 s */
        uint64_t store_retry_usec;   /* storage full: look again; 10 s */
        uint64_t import_usec;        /* from the import of a card to its advert; 5 s */
        uint64_t flush_usec;         /* between two writes of who was heard when; 60 s */
        uint64_t sent_wait_usec;     /* for an acknowledgement, at least; 2 s */
        uint64_t resume_wait_usec;   /* the same for a try before a restart or a lost answer; 8 s */
        uint64_t busy_wait_usec;     /* the radio has no packet free; 1 s */
        uint64_t flood_advert_usec;  /* between two floods of our advert; 5 min */
        uint64_t node_wait_usec;     /* for another node's answer, at least; 4 s */
        uint64_t room_silence_usec;  /* then a room is logged in to again; 6 h */
} RadioTiming;
extern RadioTiming radio_timing;

Radio *radio_new(Manager *manager, RadioSettings *settings);
Radio *radio_free(Radio *radio);

/* The only function that changes the state. Announces the change, then does
 * what the state is for; whatever comes of that comes as an event. */
void radio_enter_state(Radio *radio, RadioState state, RadioReason reason);

/* Ends the link: RADIO_WAITING with the reason, and LastError says the text. */
void radio_fail(Radio *radio, RadioReason reason, OutcomeCode code, const char *format, ...)
                __attribute__((format(printf, 4, 5)));

/* Whether no event can come that would move it. */
bool radio_is_stuck(const Radio *radio);

/* -- finish.c -- */
/* Before an end that can wait. From here on nothing is popped and no text is begun; radio_finished() follows,
 * at most a second later, when the message that was on its way is on the disk, and the answer about the one
 * that the radio was given. Returns whether it is so already. */
bool radio_finish(Radio *radio);
bool radio_is_finished(const Radio *radio);
/* Something that radio_finish() waits for has come, or will not come any more. */
void radio_check_finished(Radio *radio);
void radio_finished(Radio *radio);
/* No end after all, or the end is over. Does nothing while somebody else still wants one. */
void radio_go_on(Radio *radio);
/* A new link at once, however long the next try would be off. In RADIO_STOPPED on the way start_again tells
 * that it is no end. */
void radio_restart(Radio *radio);
/* Lets go of the port, in good order, and takes it up again. */
void radio_suspend(Radio *radio);
void radio_resume(Radio *radio);
/* The port is free. */
bool radio_is_suspended(const Radio *radio);

/* Same state, another reason (storage-full and back). */
void radio_set_reason(Radio *radio, RadioReason reason);

void radio_notify(Radio *radio, RadioChange what);

/* Writes what was put off, who was heard when, unless that was done a short while ago. */
void radio_flush(Radio *radio);

/* -- radio-identity.c -- */
void radio_unload_identity(Radio *radio);
/* Loads the identity of this key, withdrawing another one. Returns 0 or a negative errno. */
int radio_load_identity(Radio *radio, const PublicKey *key);

/* -- radio-link.c -- */

/* Design, section 4, TCP: who is thrown out soon after ready so many times in a row has lost the radio to
 * another client. */
#define SHORT_LIVES_TAKEN_OVER 2

void radio_open_link(Radio *radio);
/* Ends the session too, and all that hangs on it. */
void radio_drop_link(Radio *radio);

/* -- radio.c -- */

/* What a line is about, besides the radio. Any member may be NULL. */
typedef struct RadioLog {
        const char *event; /* of events.h */
        const char *topic; /* "radio" when NULL */
        const PublicKey *peer;
} RadioLog;

void radio_log_full(const Radio *radio, const RadioLog *what, int level, int error, const char *file,
                    int line, const char *format, ...) __attribute__((format(printf, 7, 8)));
#define radio_log_about(radio, level, error, peer_key, about, ...)                                         \
        radio_log_full(radio, &(const RadioLog){.topic = about, .peer = peer_key}, level, error, __FILE__, \
                       __LINE__, __VA_ARGS__)
#define radio_log_event(radio, id, level, error, ...) \
        radio_log_full(radio, &(const RadioLog){.event = id}, level, error, __FILE__, __LINE__, __VA_ARGS__)
#define radio_log(radio, level, error, ...) radio_log_event(radio, NULL, level, error, __VA_ARGS__)

/* -- info.c: what the radio told of itself -- */
void radio_update_device(Radio *radio, const Frame *frame);
void radio_update_self(Radio *radio, const Frame *frame);
void radio_update_battery(Radio *radio, const Frame *frame);
void radio_update_clock(Radio *radio, uint32_t epoch);
/* The radio's clock now, s, as far as we know. */
uint32_t radio_clock(const Radio *radio);

/* -- details.c -- */
void radio_update_tuning(Radio *radio, const Frame *frame);
void radio_update_scope(Radio *radio, const Frame *frame);
/* Asks for what only commands of their own tell. */
void radio_read_details(Radio *radio);

/* -- auto-add.c -- */
void radio_update_manual_add(Radio *radio, bool manual);
void radio_update_auto_add(Radio *radio, uint8_t flags, int max_hops); /* -1: not told */

/* changing_slot is over. */
void radio_release_slot(Radio *radio);

/* -- adapter.c: Bluetooth that comes -- */
BluezWatch *adapter_watch(Manager *manager, Bluez *bluez);
/* Whether the watch will tell when there is a reason to try again. */
bool radio_waits_for_adapter(const Radio *radio);

/* -- bonding.c -- */
void radio_init_bond(Radio *radio);
/* The state of the radio changed: tells those who wait for its bond. */
void radio_update_bond(Radio *radio);
/* All who wait are told that it is over. */
void radio_free_bond(Radio *radio);

/* -- monitor.c: for who looks on -- */
void monitor_packet(Radio *radio, const Frame *frame); /* FRAME_RX_LOG */
void monitor_frame(Radio *radio, bool command, const uint8_t *frame, size_t size);
void monitor_unknown_frame(Radio *radio, const Frame *frame);

/* -- pin.c: a person is asked -- */
/* The link ended for want of a PIN. Whether somebody is being asked. */
bool radio_ask_pin(Radio *radio);
/* Whoever is asked need not answer any more. */
void radio_cancel_pin(Radio *radio);
/* It worked, or somebody who may call Pair wants to try anew: as if nobody had been asked before. */
void radio_forget_pin(Radio *radio);
/* In bonding.c: what came of it; -ECANCELED and so on as radio_answer_pin(). */
void radio_pin_told(Radio *radio, int error);

/* -- ping.c -- */
void radio_cancel_pings(Radio *radio);

/* -- sync.c: the start sequence, wire reference 2.1 -- */
Sync *sync_new(Radio *radio);
Sync *sync_free(Sync *sync);
/* From the first step; ends in radio_enter_state(RADIO_READY) or radio_fail(). */
void sync_start(Sync *sync);
void sync_progress(const Sync *sync, unsigned *ret_done, unsigned *ret_total);
/* Forgets what was under way; the session is closed already. */
void sync_stop(Sync *sync);
/* The queue is empty, told by receive. */
void sync_drained(Sync *sync);
/* Whether all was read; a radio may be ready before that. */
bool sync_is_done(const Sync *sync);
/* Whether it is known in this session what the slot holds. */
bool sync_knows_slot(const Sync *sync, unsigned slot);
/* Asks for it out of turn; receive_slot_told() follows, unless the link ends. */
int sync_read_slot(Sync *sync, unsigned slot);
/* Battery and storage, asked with the slow poll. */
void sync_poll(Sync *sync);

/* -- fresh.c: what keeps the picture fresh after the sync -- */
Fresh *fresh_new(Radio *radio);
Fresh *fresh_free(Fresh *fresh);
/* The sync is over: from here on the radio may be asked. */
void fresh_start(Fresh *fresh);
void fresh_stop(Fresh *fresh);
/* A push or stray response that is about contacts. */
void fresh_frame(Fresh *fresh, const Frame *frame);
/* Fetches the contact again: its path may be another one. */
void fresh_contact(Fresh *fresh, const PublicKey *key);
/* Asks the radio what a channel slot holds, then radio_release_slot(). */
void fresh_read_slot(Fresh *fresh, unsigned slot);

/* -- receive.c: from the radio's queue to the disk, design section 4 -- */
Receive *receive_new(Radio *radio);
Receive *receive_free(Receive *receive);
/* The radio goes: the last chance for what is held in memory. */
void receive_give_up(Receive *receive);
/* Stores what could not be stored when it came. A channel message names only a slot, so this is due before
 * the slots are read again. */
int receive_catch_up(Receive *receive);
/* The identity is known: from now on the queue may be popped. */
void receive_start(Receive *receive);
void receive_stop(Receive *receive);
/* Drain now, or once more when draining. */
void receive_drain(Receive *receive);
/* See sync_read_slot(). */
void receive_slot_told(Receive *receive);
/* A frame that carries a message but that no pop asked for. */
void receive_frame(Receive *receive, const Frame *frame, Slice raw);
bool raw_is_message(Slice raw);
/* For finish.c: whether no message is on its way to us; and pops again. */
bool receive_is_finished(const Receive *receive);
void receive_go_on(Receive *receive);
/* For whoever changes a slot of a channel, since a message names its channel by the slot at reception. Hold:
 * fetches what waits, then calls done; from there on nothing is fetched. Settle: fetches those messages that
 * were announced since. Release: as before. done gets a negative errno of the store, or -EPROTO; it is not
 * called when the link goes first. */
typedef void (*receive_done_t)(int r, void *userdata);
void receive_hold(Receive *receive, receive_done_t done, void *userdata);
void receive_settle(Receive *receive, receive_done_t done, void *userdata);
void receive_release(Receive *receive);
/* One frame of the spool. */
int receive_import(Identity *identity, uint64_t timestamp_usec, Slice raw);

/* -- delivery.c: our own messages, design section 4, Send -- */
Delivery *delivery_new(Radio *radio);
Delivery *delivery_free(Delivery *delivery);
/* The identity was loaded: takes up its open messages. */
void delivery_load(Delivery *delivery);
/* The identity goes: forgets them, they stay as they are in the store. */
void delivery_unload(Delivery *delivery);
void delivery_start(Delivery *delivery); /* ready */
void delivery_stop(Delivery *delivery);  /* no session any more */
void delivery_add(Delivery *delivery, uint64_t id, uint32_t uid);
/* How many of this user's are on their way. */
unsigned delivery_count(Delivery *delivery, uint32_t uid);
/* Something that it waited for may have come. */
void delivery_wake(Delivery *delivery);
/* For finish.c: whether no text is on its way to the radio. */
bool delivery_is_finished(Delivery *delivery);
/* Whether a message to this contact is sent and unconfirmed. */
bool delivery_waits_for(Delivery *delivery, const PublicKey *peer);
/* This contact's path_displaced was set. */
void delivery_path_displaced(Delivery *delivery, const PublicKey *peer);
/* No further tries. */
OutcomeCode delivery_cancel(Delivery *delivery, uint64_t id, Outcome *ret_outcome);
/* A channel text came back to us: it did go on air. */
void delivery_heard(Delivery *delivery, uint64_t id);
void delivery_confirmed(Delivery *delivery, const uint8_t ack[4], uint32_t round_trip_ms);

/* -- repeats.c: our channel texts, passed on by others -- */
Repeats *repeats_new(Radio *radio);
Repeats *repeats_free(Repeats *repeats);
void repeats_unload(Repeats *repeats);
/* From now on for a while: this text is about to go out. */
void repeats_listen(Repeats *repeats, uint64_t id, uint64_t channel, uint32_t timestamp);
/* Any packet that was heard. */
void repeats_packet(Repeats *repeats, const Packet *packet);

/* -- node-queue.c, node-run.c: what is asked of other nodes -- */
Nodes *nodes_new(Radio *radio);
Nodes *nodes_free(Nodes *nodes);
/* The identity was loaded: paths that a former life lent are to be given back. */
void nodes_load(Nodes *nodes);
void nodes_start(Nodes *nodes); /* ready */
/* The link is gone, or about to be used for something else: all ends. */
void nodes_stop(Nodes *nodes);
/* The identity goes, and with it what is known of its nodes. */
void nodes_unload(Nodes *nodes);
/* A push that may be an answer. Returns whether somebody waited for it. */
bool nodes_frame(Nodes *nodes, const Frame *frame);
/* Data of other nodes, and traces that nobody waits for: told to who observes. */
void nodes_tell_heard(Nodes *nodes, const Frame *frame);
/* A post of a room. */
void nodes_post(Nodes *nodes, const uint8_t prefix[KEY_PREFIX_SIZE]);
/* A text of a node's command line, stored already. */
void nodes_cli_reply(Nodes *nodes, const Frame *frame);

/* -- translate.c: wire → model; the only place that knows both -- */
Contact *translate_contact(const Frame *frame); /* FRAME_CONTACT, FRAME_NEW_ADVERT */
/* The other way; name is borrowed from contact, and no lastmod is given. */
void translate_record(const Contact *contact, ContactRecord *ret);
/* ret has room for CONTACT_PATH_HOPS_MAX. Returns how many there are. */
size_t translate_path(const Path *path, PathHop *ret);
ChannelKind translate_channel_kind(const char *name, const uint8_t secret[CHANNEL_SECRET_SIZE]);
/* On a channel the sender's name stands before the text; nothing proves it. Without a name it is empty. */
void translate_split_channel_text(Slice whole, Slice *ret_author, Slice *ret_text);
/* Also for what cannot be decoded: frame NULL gives a MESSAGE_RAW. Never NULL. */
Message *translate_message(Identity *identity, const Frame *frame, Slice raw, uint64_t timestamp_usec);

/* -- governor.c: the budget of air time, of packets with so many bytes -- */
/* What a datagram to this contact has on air; body: what is encrypted. */
size_t packet_to(const Contact *contact, size_t body);
/* How long until it may go; 0: now. */
uint64_t governor_wait(const Radio *radio, AirtimeRank rank, size_t size);
/* RateLimited, and when it may be done again. */
OutcomeCode governor_check(const Radio *radio, AirtimeRank rank, size_t size, Outcome *ret_outcome);
void governor_spend(Radio *radio, size_t size);
/* The radio did not take it. */
void governor_give_back(Radio *radio, size_t size);

/* -- inhibit.c -- */
Inhibitions *inhibitions_new(void);
Inhibitions *inhibitions_free(Inhibitions *self);
/* Whether this radio must be left alone now. */
bool manager_is_inhibited(Manager *manager, const char *id);
/* Whether any must: a port that appears now may be the one of a radio that is being flashed. */
bool manager_has_inhibitions(Manager *manager);

/* -- manager.c -- */
Inhibitions *manager_inhibitions(Manager *manager);
Hotplug *manager_hotplug(Manager *manager);
const RadioObserver *manager_observer(Manager *manager, void **ret_userdata);
/* The connection to bluetoothd, made when it is first wanted; NULL if that fails. */
Bluez *manager_bluez(Manager *manager);
/* NULL when there is none. */
const PinAsker *manager_pin_asker(Manager *manager, void **ret_userdata);
/* Bonds that are being removed, of forget.c. */
GQueue *manager_forgets(Manager *manager);
/* They are told that it is over. */
void manager_stop_forgets(Manager *manager);
/* A radio has finished, see manager_settle(). */
void manager_check_settled(Manager *manager);
bool manager_is_settling(const Manager *manager);
/* Another radio that has this identity loaded, or NULL. */
Radio *manager_find_identity(Manager *manager, const PublicKey *key, const Radio *except);
/* Another radio that talks to this key now, or NULL. */
Radio *manager_find_connected(Manager *manager, const PublicKey *key, const Radio *except);
/* Puts one popped frame into the store of the identity that popped it. */
int manager_import_frame(Manager *manager, const PublicKey *identity, uint64_t timestamp_usec, Slice raw);
/* Puts spooled frames into the store. Returns 0 when the spool is empty. */
int manager_import_spool(Manager *manager);
