/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Shared by the files of the radio room only. */

#include <systemd/sd-event.h>

#include "backoff.h"
#include "link.h"
#include "manager.h"
#include "radio.h"
#include "session.h"

typedef struct Sync Sync;
typedef struct Receive Receive;
typedef struct Delivery Delivery;

struct Radio {
        Manager *manager;
        RadioSettings *settings;

        RadioState state;
        RadioReason reason;
        OutcomeCode last_error;
        char *last_error_message;
        unsigned attempts;
        Backoff backoff;
        sd_event_source *retry; /* armed in RADIO_WAITING */
        uint64_t ready_usec;    /* boot time of the last RADIO_READY; 0: not since the last end */
        unsigned short_lives;   /* links in a row that the peer closed soon after ready */

        Link *link;
        Session *session;             /* from link opened to radio_drop_link() */
        sd_event_source *failure;     /* an open that failed at once, told at the next turn */
        sd_event_source *first_start; /* the first radio_start(), at the next turn */

        RadioInfo info;
        Identity *identity;
        bool identity_confirmed; /* SELF_INFO of this session told the key */

        Sync *sync;
        Receive *receive;
        Delivery *delivery;
        GQueue pings; /* refused ones, to be told at the next turn */
};

/* Timing that a test may shorten. */
typedef struct RadioTiming {
        SessionTiming session;
        uint64_t backoff_first_usec; /* 1 s */
        uint64_t store_retry_usec;   /* storage full: look again; 10 s */
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

/* Same state, another reason (storage-full and back). */
void radio_set_reason(Radio *radio, RadioReason reason);

void radio_notify(Radio *radio, RadioChange what);

/* Loads the identity of this key, withdrawing another one. Returns 0 or a negative errno. */
int radio_load_identity(Radio *radio, const PublicKey *key);

void radio_log(const Radio *radio, int level, int error, const char *format, ...)
                __attribute__((format(printf, 4, 5)));

/* -- info.c: what the radio told of itself -- */
void radio_update_device(Radio *radio, const Frame *frame);
void radio_update_self(Radio *radio, const Frame *frame);
void radio_update_battery(Radio *radio, const Frame *frame);
void radio_update_clock(Radio *radio, uint32_t epoch);

/* -- ping.c -- */
void radio_cancel_pings(Radio *radio);

/* -- sync.c: the start sequence, wire reference 2.1, and what keeps the picture fresh -- */
Sync *sync_new(Radio *radio);
Sync *sync_free(Sync *sync);
/* From the first step; ends in radio_enter_state(RADIO_READY) or radio_fail(). */
void sync_start(Sync *sync);
/* Forgets what was under way; the session is closed already. */
void sync_stop(Sync *sync);
/* The queue is empty, told by receive. */
void sync_drained(Sync *sync);
/* A push or stray response that is about contacts. */
void sync_frame(Sync *sync, const Frame *frame);
/* Battery and storage, asked with the slow poll. */
void sync_poll(Sync *sync);

/* -- receive.c: from the radio's queue to the disk, design section 4 -- */
Receive *receive_new(Radio *radio);
Receive *receive_free(Receive *receive);
/* The identity is known: from now on the queue may be popped. */
void receive_start(Receive *receive);
void receive_stop(Receive *receive);
/* Drain now, or once more when draining. */
void receive_drain(Receive *receive);
/* A frame that carries a message but that no pop asked for. */
void receive_frame(Receive *receive, const Frame *frame, Slice raw);
bool raw_is_message(Slice raw);
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
void delivery_add(Delivery *delivery, uint64_t id);
/* No further tries. */
OutcomeCode delivery_cancel(Delivery *delivery, uint64_t id, Outcome *ret_outcome);
void delivery_confirmed(Delivery *delivery, const uint8_t ack[4], uint32_t round_trip_ms);

/* -- translate.c: wire → model; the only place that knows both -- */
Contact *translate_contact(const Frame *frame); /* FRAME_CONTACT, FRAME_NEW_ADVERT */
ChannelKind translate_channel_kind(const char *name, const uint8_t secret[CHANNEL_SECRET_SIZE]);
/* Also for what cannot be decoded: frame NULL gives a MESSAGE_RAW. Never NULL. */
Message *translate_message(Identity *identity, const Frame *frame, Slice raw, uint64_t timestamp_usec);

/* -- manager.c -- */
const RadioObserver *manager_observer(Manager *manager, void **ret_userdata);
/* Another radio that has this identity loaded, or NULL. */
Radio *manager_find_identity(Manager *manager, const PublicKey *key, const Radio *except);
/* Another radio that talks to this key now, or NULL. */
Radio *manager_find_connected(Manager *manager, const PublicKey *key, const Radio *except);
/* Puts one popped frame into the store of the identity that popped it. */
int manager_import_frame(Manager *manager, const PublicKey *identity, uint64_t timestamp_usec, Slice raw);
/* Puts spooled frames into the store. Returns 0 when the spool is empty. */
int manager_import_spool(Manager *manager);
