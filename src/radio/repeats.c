/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <string.h>
#include <syslog.h>

#include "clock.h"
#include "macros.h"
#include "packet-record.h"
#include "utf8.h"

/* Our own channel texts, heard again from those who passed them on. The radio tells of every packet that it
 * hears, asked or not, so this costs no air time. */

/* The last so many are listened for, each for so long: a flood is over sooner. */
#define OWN_MAX     16
#define LISTEN_USEC (10 * USEC_PER_MINUTE)

typedef struct Own {
        uint64_t id, channel; /* id 0: none */
        uint32_t timestamp;
        uint64_t until_usec; /* boot time */
} Own;

struct Repeats {
        Radio *radio;
        Own own[OWN_MAX];
        size_t next;
        uint64_t until_usec; /* of the last one; past: there is nothing to listen for */
};

Repeats *repeats_new(Radio *radio) {
        Repeats *repeats = g_new0(Repeats, 1);

        repeats->radio = radio;
        return repeats;
}

Repeats *repeats_free(Repeats *repeats) {
        return g_free(repeats), NULL;
}

void repeats_unload(Repeats *repeats) {
        memset(repeats->own, 0, sizeof(repeats->own));
        repeats->until_usec = 0;
}

void repeats_listen(Repeats *repeats, uint64_t id, uint64_t channel, uint32_t timestamp) {
        repeats->until_usec = clock_boottime_usec() + LISTEN_USEC;
        repeats->own[repeats->next] = (Own){id, channel, timestamp, repeats->until_usec};
        repeats->next = (repeats->next + 1) % OWN_MAX;
}

/* Somebody else may say something on the same channel in the same second. */
static bool is_same(const Radio *radio, uint64_t id, const ChannelContent *content) {
        g_autoptr(Message) message = identity_get_message(radio->identity, id);
        g_autofree char *name = NULL;
        Slice author, text;

        if (!message)
                return false;
        translate_split_channel_text(content->text, &author, &text);
        name = utf8_repair(author.data, author.size);
        /* The radio cuts what is too long. */
        return strcmp(name, radio->info.name) == 0 && text.size > 0 && text.size <= strlen(message->text) &&
               memcmp(text.data, message->text, text.size) == 0;
}

static bool is_repeat(Repeats *repeats, const Own *own, const Packet *packet) {
        const Channel *channel = identity_get_channel(repeats->radio->identity, own->channel);
        ChannelContent content;

        return channel && channel_open(packet, channel->secret, &content) >= 0 &&
               content.text_type == TEXT_PLAIN && content.timestamp == own->timestamp &&
               is_same(repeats->radio, own->id, &content);
}

static void heard(Repeats *repeats, uint64_t id, const Path *path) {
        Radio *radio = repeats->radio;
        const MessageRepeat repeat = {path->hops, path->hash_size, path->hashes.data};

        if (identity_add_repeat(radio->identity, id, &repeat) > 0)
                radio_log(radio, LOG_DEBUG, 0, "message %" PRIu64 " was passed on, over %u hops", id,
                          path->hops);
        delivery_heard(radio->delivery, id);
}

void repeats_packet(Repeats *repeats, const Packet *packet) {
        uint64_t now;

        if (repeats->until_usec == 0 || !repeats->radio->identity ||
            packet->payload_type != PAYLOAD_GRP_TXT || packet->path.hops == 0 ||
            (packet->route != ROUTE_FLOOD && packet->route != ROUTE_TRANSPORT_FLOOD))
                return;

        now = clock_boottime_usec();
        if (now >= repeats->until_usec) {
                repeats_unload(repeats);
                return;
        }

        for (size_t i = 0; i < OWN_MAX; i++) {
                const Own *own = repeats->own + i;

                if (own->until_usec > now && is_repeat(repeats, own, packet)) {
                        heard(repeats, own->id, &packet->path);
                        return;
                }
        }
}
