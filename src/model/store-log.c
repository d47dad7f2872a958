/* SPDX-License-Identifier: GPL-3.0-or-later */

/* SQLite takes the first frame of its log that is not whole for the end of what was written, as after a power
 * cut. When the medium has damaged a frame in the middle, everything behind it would vanish without a word.
 * But a transaction begins only when the one before is on the disk: whole frames behind a whole end of a
 * transaction, all of them behind a bad frame, were not cut off by a crash. Each frame holds the sum of all
 * before it, so it can be told to be whole by the one before, whatever is wrong further ahead. */

#include <endian.h>
#include <fcntl.h>
#include <string.h>

#include "bytes.h"
#include "log.h"
#include "store-internal.h"

/* https://www.sqlite.org/fileformat2.html#the_write_ahead_log */
#define LOG_MAGIC         0x377f0682U /* the last bit: sums over big endian words */
#define LOG_HEADER        32
#define LOG_FRAME_HEADER  24
#define LOG_PAGE_SIZE_MIN 512
#define LOG_PAGE_SIZE_MAX 65536

typedef struct Sum {
        uint32_t a, b;
} Sum;

typedef struct LogFile {
        int fd;
        bool big_endian;
        size_t page_size;
        uint8_t salts[8];
        Sum before; /* as the frame before has it, or the header */
        uint8_t frame[LOG_FRAME_HEADER + LOG_PAGE_SIZE_MAX];
} LogFile;

static Sum read_sum(const uint8_t *data) {
        ByteReader r;
        Sum sum;

        reader_init(&r, data, 8);
        sum.a = reader_ube(&r, 4);
        sum.b = reader_ube(&r, 4);
        return sum;
}

/* Of whole pairs of words. */
static Sum add_up(Sum sum, bool big_endian, const uint8_t *data, size_t size) {
        for (size_t i = 0; i + 8 <= size; i += 8) {
                uint32_t words[2];

                memcpy(words, data + i, sizeof(words));
                sum.a += (big_endian ? be32toh(words[0]) : le32toh(words[0])) + sum.b;
                sum.b += (big_endian ? be32toh(words[1]) : le32toh(words[1])) + sum.a;
        }

        return sum;
}

static bool same(Sum x, Sum y) {
        return x.a == y.a && x.b == y.b;
}

/* False when SQLite would not use anything of it. */
static bool read_header(LogFile *file) {
        uint8_t header[LOG_HEADER];
        ByteReader r;
        uint32_t magic;

        if (pread(file->fd, header, sizeof(header), 0) != (ssize_t) sizeof(header))
                return false;

        reader_init(&r, header, sizeof(header));
        magic = reader_ube(&r, 4);
        reader_skip(&r, 4);
        file->big_endian = magic & 1;
        file->page_size = reader_ube(&r, 4);
        file->before = read_sum(header + 24);
        memcpy(file->salts, header + 16, sizeof(file->salts));
        return (magic & ~1U) == LOG_MAGIC && file->page_size >= LOG_PAGE_SIZE_MIN &&
               file->page_size <= LOG_PAGE_SIZE_MAX &&
               same(add_up((Sum){}, file->big_endian, header, 24), file->before);
}

/* 1: whole, 0: not, -ENODATA: the end. */
static int read_frame(LogFile *file, unsigned number, bool *ret_commit) {
        const size_t size = LOG_FRAME_HEADER + file->page_size;
        Sum sum;
        bool whole;

        if (pread(file->fd, file->frame, size, (off_t) (LOG_HEADER + number * size)) != (ssize_t) size)
                return -ENODATA;

        sum = add_up(file->before, file->big_endian, file->frame, 8);
        sum = add_up(sum, file->big_endian, file->frame + LOG_FRAME_HEADER, file->page_size);
        file->before = read_sum(file->frame + 16);
        whole = memcmp(file->frame + 8, file->salts, sizeof(file->salts)) == 0 && same(sum, file->before);
        *ret_commit = whole && memcmp(file->frame + 4, "\0\0\0\0", 4) != 0;
        return whole;
}

static bool is_damaged(int fd) {
        g_autofree LogFile *file = g_new0(LogFile, 1);
        bool bad = false, ended = false;

        file->fd = fd;
        if (!read_header(file))
                return false;

        for (unsigned number = 0;; number++) {
                bool commit;
                int r;

                r = read_frame(file, number, &commit);
                if (r < 0)
                        return false;
                if (r > 0 && ended)
                        return true;
                bad = bad || r == 0;
                ended = ended || (bad && commit);
        }
}

static int copy_to(int from, int dir, const char *name) {
        _cleanup_close_ int to = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        g_autofree uint8_t *piece = g_malloc(LOG_PAGE_SIZE_MAX);
        off_t at = 0;
        ssize_t n;

        if (to < 0)
                return -errno;
        while ((n = pread(from, piece, LOG_PAGE_SIZE_MAX, at)) > 0) {
                if (pwrite(to, piece, (size_t) n, at) != n)
                        return errno > 0 ? -errno : -EIO;
                at += n;
        }
        if (n < 0 || fsync(to) < 0 || fsync(dir) < 0)
                return -errno;

        return 0;
}

int store_log_keep_damaged(int dir, const char *log, const char *copy) {
        _cleanup_close_ int fd = openat(dir, log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        int r;

        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!is_damaged(fd))
                return 0;

        r = copy_to(fd, dir, copy);
        if (r < 0) {
                (void) unlinkat(dir, copy, 0);
                return r;
        }

        return 1;
}
