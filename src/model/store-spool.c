/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The spool takes a frame that the radio has given away when the database
 * cannot. Each record has a disk sector of its own, so that a write torn by a
 * power cut cannot damage the record beside it, and all blocks are written
 * once beforehand, so that a full disk cannot refuse one.
 *
 *   0  magic "MSP1"    8  sequence, u64     24  public key of the identity
 *   4  size, u16      16  µs, u64           56  frame, zero padded
 *   6  zero                                508  CRC-32 of all before
 *
 * A sector whose checksum is wrong is a write that was never acknowledged. */

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "bytes.h"
#include "events.h"
#include "log.h"
#include "store-internal.h"

#define SPOOL_FILE  "spool"
#define SECTOR      512
#define SPOOL_SIZE  (SECTOR * STORE_SPOOL_FRAMES)
#define HEADER_SIZE 56
#define CRC_OFFSET  (SECTOR - 4)
#define MAGIC       0x3150534dU

G_STATIC_ASSERT(SPOOL_SIZE == 65536);
G_STATIC_ASSERT(HEADER_SIZE + STORE_SPOOL_FRAME_MAX <= CRC_OFFSET);

typedef struct SpoolRecord {
        unsigned sector;
        uint64_t sequence;
        uint64_t timestamp_usec;
        PublicKey identity;
        size_t size;
        uint8_t frame[STORE_SPOOL_FRAME_MAX];
} SpoolRecord;

static uint32_t crc32_of(const uint8_t *data, size_t size) {
        uint32_t crc = UINT32_MAX;

        for (size_t i = 0; i < size; i++) {
                crc ^= data[i];
                for (unsigned bit = 0; bit < 8; bit++)
                        crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320U : 0);
        }

        return ~crc;
}

static void write_u64(ByteWriter *w, uint64_t value) {
        writer_u32le(w, (uint32_t) value);
        writer_u32le(w, (uint32_t) (value >> 32));
}

static uint64_t read_u64(ByteReader *r) {
        const uint64_t low = reader_u32le(r);

        return low | (uint64_t) reader_u32le(r) << 32;
}

static void encode_record(const SpoolRecord *record, uint8_t sector[SECTOR]) {
        ByteWriter w;

        memset(sector, 0, SECTOR);
        writer_init(&w, sector, CRC_OFFSET);
        writer_u32le(&w, MAGIC);
        writer_u16le(&w, (uint16_t) record->size);
        writer_u16le(&w, 0);
        write_u64(&w, record->sequence);
        write_u64(&w, record->timestamp_usec);
        writer_bytes(&w, record->identity.bytes, PUBLIC_KEY_SIZE);
        writer_bytes(&w, record->frame, record->size);

        writer_init(&w, sector + CRC_OFFSET, 4);
        writer_u32le(&w, crc32_of(sector, CRC_OFFSET));
}

/* 1: a record, 0: empty, -EBADMSG: torn. */
static int decode_record(const uint8_t sector[SECTOR], SpoolRecord *ret) {
        ByteReader r, crc;
        size_t size;

        reader_init(&r, sector, CRC_OFFSET);
        if (reader_u32le(&r) == 0)
                return 0;

        reader_init(&crc, sector + CRC_OFFSET, 4);
        if (reader_u32le(&crc) != crc32_of(sector, CRC_OFFSET))
                return -EBADMSG;

        reader_init(&r, sector, CRC_OFFSET);
        if (reader_u32le(&r) != MAGIC)
                return -EBADMSG;
        size = reader_u16le(&r);
        if (size > STORE_SPOOL_FRAME_MAX)
                return -EBADMSG;
        reader_skip(&r, 2);

        ret->size = size;
        ret->sequence = read_u64(&r);
        ret->timestamp_usec = read_u64(&r);
        reader_copy(&r, ret->identity.bytes, PUBLIC_KEY_SIZE);
        reader_copy(&r, ret->frame, size);
        return 1;
}

static int read_full(int fd, uint8_t *data, size_t size, off_t offset) {
        while (size > 0) {
                ssize_t n = pread(fd, data, size, offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return -ENODATA;
                data += n;
                offset += n;
                size -= (size_t) n;
        }

        return 0;
}

static int write_full(int fd, const uint8_t *data, size_t size, off_t offset) {
        while (size > 0) {
                ssize_t n = pwrite(fd, data, size, offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                data += n;
                offset += n;
                size -= (size_t) n;
        }

        return 0;
}

/* Only what is missing at the end is written: what is there may be a record. The size tells how far it came
 * should this be cut short. */
static int fill_file(Store *store, int fd) {
        g_autofree uint8_t *zeroes = NULL;
        struct stat st;
        int r;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        if (st.st_size >= SPOOL_SIZE)
                return 0;

        zeroes = g_malloc0(SPOOL_SIZE);
        r = write_full(fd, zeroes, (size_t) (SPOOL_SIZE - st.st_size), st.st_size);
        if (r < 0)
                return r;

        if (fsync(fd) < 0 || fsync(store->dir_fd) < 0)
                return -errno;

        return 0;
}

static void scan_sectors(Store *store, const uint8_t *data) {
        Spool *spool = &store->spool;

        for (unsigned i = 0; i < STORE_SPOOL_FRAMES; i++) {
                SpoolRecord record;
                int r;

                r = decode_record(data + i * SECTOR, &record);
                if (r < 0)
                        log_warning("Spool %s/%s: record %u is torn, ignoring", store->dir, SPOOL_FILE, i);
                if (r <= 0)
                        continue;

                spool->used[i] = true;
                spool->n_used++;
                spool->next_sequence = MAX(spool->next_sequence, record.sequence + 1);
        }
}

int store_spool_open(Store *store) {
        g_autofree uint8_t *data = g_malloc(SPOOL_SIZE);
        _cleanup_close_ int fd = -EBADF;
        int r;

        fd = openat(store->dir_fd, SPOOL_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
        if (fd < 0)
                return log_error_errno(errno, "Cannot open the spool %s/%s", store->dir, SPOOL_FILE);

        r = fill_file(store, fd);
        if (r < 0)
                return log_error_errno(r, "Cannot reserve the spool %s/%s", store->dir, SPOOL_FILE);

        r = read_full(fd, data, SPOOL_SIZE, 0);
        if (r < 0)
                return log_error_errno(r, "Cannot read the spool %s/%s", store->dir, SPOOL_FILE);

        store->spool = (Spool){.fd = steal_fd(&fd)};
        scan_sectors(store, data);
        if (store->spool.n_used > 0)
                log_notice("Spool %s/%s: %u frames wait to be imported", store->dir, SPOOL_FILE,
                           store->spool.n_used);

        return 0;
}

void store_spool_close(Store *store) {
        store->spool.fd = safe_close(store->spool.fd);
}

static int free_sector(const Spool *spool) {
        for (unsigned i = 0; i < STORE_SPOOL_FRAMES; i++)
                if (!spool->used[i])
                        return (int) i;

        return -ENOSPC;
}

int store_spool_append(Store *store, const PublicKey *identity, uint64_t timestamp_usec, Slice frame) {
        Spool *spool = &store->spool;
        SpoolRecord record = {
                        .sequence = spool->next_sequence,
                        .timestamp_usec = timestamp_usec,
                        .identity = *identity,
                        .size = frame.size,
        };
        uint8_t sector[SECTOR];
        int at, r;

        if (frame.size > STORE_SPOOL_FRAME_MAX)
                return log_error_errno(EMSGSIZE, "A frame of %zu bytes does not fit the spool", frame.size);

        at = free_sector(spool);
        if (at < 0)
                return log_error_errno(at, "The spool %s/%s is full", store->dir, SPOOL_FILE);

        if (frame.size > 0)
                memcpy(record.frame, frame.data, frame.size);
        encode_record(&record, sector);

        r = write_full(spool->fd, sector, sizeof(sector), (off_t) at * SECTOR);
        if (r >= 0 && fdatasync(spool->fd) < 0)
                r = -errno;
        if (r < 0)
                return log_error_errno(r, "Cannot write the spool %s/%s", store->dir, SPOOL_FILE);

        spool->used[at] = true;
        spool->n_used++;
        spool->next_sequence++;
        return 0;
}

static int compare_records(gconstpointer a, gconstpointer b) {
        const SpoolRecord *x = a, *y = b;

        return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static int load_records(Store *store, GArray *records) {
        Spool *spool = &store->spool;

        for (unsigned i = 0; i < STORE_SPOOL_FRAMES; i++) {
                SpoolRecord record = {.sector = i};
                uint8_t sector[SECTOR];
                int r;

                if (!spool->used[i])
                        continue;

                r = read_full(spool->fd, sector, sizeof(sector), (off_t) i * SECTOR);
                if (r < 0)
                        return log_error_errno(r, "Cannot read the spool %s/%s", store->dir, SPOOL_FILE);

                if (decode_record(sector, &record) > 0)
                        g_array_append_val(records, record);
                else {
                        (void) log_full(&(LogContext){.topic = "store", .id = EVENT_MESSAGE_LOST}, LOG_ERR, 0,
                                        __FILE__, __LINE__,
                                        "Spool %s/%s: record %u was damaged on the disk; a frame is lost",
                                        store->dir, SPOOL_FILE, i);
                        spool->used[i] = false;
                        spool->n_used--;
                }
        }

        g_array_sort(records, compare_records);
        return 0;
}

static int erase_records(Store *store, const GArray *records, size_t n) {
        static const uint8_t zeroes[SECTOR];
        Spool *spool = &store->spool;
        int r = 0;

        for (size_t i = 0; i < n && r >= 0; i++) {
                const unsigned sector = g_array_index(records, SpoolRecord, i).sector;

                r = write_full(spool->fd, zeroes, SECTOR, (off_t) sector * SECTOR);
                if (r < 0)
                        break;
                spool->used[sector] = false;
                spool->n_used--;
        }

        /* What a failed sync brings back is a duplicate of what is in the store. */
        if (r >= 0 && fdatasync(spool->fd) < 0)
                r = -errno;
        if (r < 0)
                return log_error_errno(r, "Cannot empty the spool %s/%s", store->dir, SPOOL_FILE);

        return 0;
}

int store_spool_import(Store *store, store_spool_import_t import, void *userdata) {
        g_autoptr(GArray) records = NULL;
        size_t done = 0;
        int r, failed = 0;

        if (store->spool.n_used == 0)
                return 0;

        records = g_array_new(false, false, sizeof(SpoolRecord));
        r = load_records(store, records);
        if (r < 0)
                return r;

        for (; done < records->len; done++) {
                const SpoolRecord *record = &g_array_index(records, SpoolRecord, done);

                failed = import(&record->identity, record->timestamp_usec,
                                (Slice){record->frame, record->size}, userdata);
                if (failed < 0)
                        break;
        }

        r = done > 0 ? erase_records(store, records, done) : 0;
        return failed < 0 ? failed : r;
}
