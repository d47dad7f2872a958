/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-internal.h"

/* Least recently used first out. A GetManagedObjects walks over the whole
 * window and introspection over one message several times; neither should read the store
 * each time. */

typedef struct CacheEntry {
        Message *message;
        GList link; /* in order, newest use at the head */
} CacheEntry;

struct BusCache {
        size_t capacity;
        GHashTable *entries; /* &message->id → CacheEntry */
        GQueue order;
};

static void cache_entry_free(void *p) {
        CacheEntry *entry = p;

        message_free(entry->message);
        g_free(entry);
}

BusCache *bus_cache_new(size_t capacity) {
        BusCache *cache = g_new(BusCache, 1);

        *cache = (BusCache){
                        .capacity = capacity,
                        .entries = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, cache_entry_free),
                        .order = G_QUEUE_INIT,
        };
        return cache;
}

BusCache *bus_cache_free(BusCache *cache) {
        if (!cache)
                return NULL;

        g_hash_table_unref(cache->entries);
        g_free(cache);
        return NULL;
}

const Message *bus_cache_get(BusCache *cache, uint64_t id) {
        CacheEntry *entry = g_hash_table_lookup(cache->entries, &id);

        if (!entry)
                return NULL;

        g_queue_unlink(&cache->order, &entry->link);
        g_queue_push_head_link(&cache->order, &entry->link);
        return entry->message;
}

bool bus_cache_has(const BusCache *cache, uint64_t id) {
        return g_hash_table_contains(cache->entries, &id);
}

void bus_cache_drop(BusCache *cache, uint64_t id) {
        CacheEntry *entry = g_hash_table_lookup(cache->entries, &id);

        if (!entry)
                return;

        g_queue_unlink(&cache->order, &entry->link);
        g_hash_table_remove(cache->entries, &id);
}

const Message *bus_cache_put(BusCache *cache, Message *message) {
        CacheEntry *entry;

        bus_cache_drop(cache, message->id);
        while (g_hash_table_size(cache->entries) >= cache->capacity) {
                CacheEntry *oldest = g_queue_peek_tail(&cache->order);

                bus_cache_drop(cache, oldest->message->id);
        }

        entry = g_new(CacheEntry, 1);
        *entry = (CacheEntry){.message = message, .link = {.data = entry}};
        g_hash_table_insert(cache->entries, &message->id, entry);
        g_queue_push_head_link(&cache->order, &entry->link);
        return message;
}

void bus_cache_clear(BusCache *cache) {
        g_hash_table_remove_all(cache->entries);
        cache->order = (GQueue) G_QUEUE_INIT;
}
