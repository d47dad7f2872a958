/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Preloaded into the daemon by plan.py: every system call by which it reaches its state directory, a radio
 * over TCP or the bus is a place where a fault can happen. They are counted as they come, and the one with
 * the number that the plan names meets the fault. What is done to the state directory is written down, so
 * that the plan can make the disk that a power cut would have left. Time can be moved.
 *
 *   FAULT_STATE    the state directory, absolute
 *   FAULT_TRACE    one line for each call: its number, class, name, and what it is about
 *   FAULT_JOURNAL  what was done to the state directory, see struct Entry
 *   FAULT_CONTROL  a socket of the plan; lines in it: "off", "on", "boottime SECONDS", "realtime SECONDS"
 *   FAULT_KIND     what happens: a name of the table below
 *   FAULT_AT       to which of the calls that this kind counts, from 1
 *   FAULT_LAST     as long as it is not "off", to all that follow too
 *   FAULT_VALUE    seconds, or the seed of what is torn
 *   FAULT_KILL     so many calls after the fault the daemon is killed */

/* The names without 64 at their end: with large files the compiler puts it there, as it did in everything
 * that calls us. */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))
#define FDS_MAX  1024
#define SECOND   INT64_C(1000000000)

/* The next definition of the function that stands around it, with the same type. */
#define NEXT(name)                     \
        static __typeof__(name) *next; \
        if (!next)                     \
        *(void **) &next = dlsym(RTLD_NEXT, #name)

typedef enum Class { CLASS_UNKNOWN, CLASS_OTHER, CLASS_STATE, CLASS_DIRECTORY, CLASS_LINK, CLASS_BUS } Class;

/* What a kind counts. */
typedef enum Counts { COUNTS_ALL, COUNTS_CHANGE, COUNTS_WRITE, COUNTS_SYNC, COUNTS_READ } Counts;

static const struct {
        const char *name;
        Counts counts;
} kinds[] = {
                {"kill", COUNTS_ALL},   {"stop", COUNTS_ALL},     {"clock", COUNTS_ALL},
                {"torn", COUNTS_WRITE}, {"full", COUNTS_CHANGE},  {"enospc", COUNTS_CHANGE},
                {"eio", COUNTS_CHANGE}, {"erofs", COUNTS_CHANGE}, {"short", COUNTS_WRITE},
                {"fsync", COUNTS_SYNC}, {"read", COUNTS_READ},    {"none", COUNTS_ALL},
};

typedef struct File {
        Class class;
        char name[48];
} File;

/* Followed by the name (two, with a zero between, of a rename) and the data. */
struct __attribute__((packed)) Entry {
        char what; /* c: created, w: written, t: truncated, s: synced, f: sync failed, d: directory synced,
                    * r: renamed, u: unlinked */
        uint8_t name_size;
        uint32_t data_size;
        uint64_t inode, offset;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static File files[FDS_MAX];
static clockid_t timer_clocks[FDS_MAX];
static struct itimerspec timers[FDS_MAX]; /* as they were asked for */
static char state_dir[256];
static size_t state_size;
static int trace_fd = -1, journal_fd = -1, control_fd = -1;
static unsigned kind = (unsigned) -1;
static uint64_t at, counted, calls, kill_after, kill_at;
static bool sticky, released, half;
static int64_t value, boottime_offset, realtime_offset; /* seconds; the offsets in nanoseconds */

static bool is(const char *name) {
        return kind < sizeof(kinds) / sizeof(kinds[0]) && strcmp(kinds[kind].name, name) == 0;
}

static void put(int fd, const void *data, size_t size) {
        if (fd >= 0 && size > 0)
                (void) syscall(SYS_write, fd, data, size);
}

static void trace(bool mine, const char *class, const char *call, const char *about) {
        char line[256];
        int n;

        n = snprintf(line, sizeof(line), "%llu %llu %s %s %s\n", (unsigned long long) calls,
                     mine ? (unsigned long long) counted : 0ULL, class, call, about);
        put(trace_fd, line, n < (int) sizeof(line) ? (size_t) n : sizeof(line) - 1);
}

/* -- time ------------------------------------------------------------------- */

static void arm(int fd) {
        struct itimerspec wanted = timers[fd];
        int64_t nsec = wanted.it_value.tv_sec * SECOND + wanted.it_value.tv_nsec;

        if (timer_clocks[fd] == CLOCK_BOOTTIME || timer_clocks[fd] == CLOCK_BOOTTIME_ALARM)
                nsec -= boottime_offset;
        else if (timer_clocks[fd] == CLOCK_REALTIME)
                nsec -= realtime_offset;
        if (nsec < 1)
                nsec = 1;
        wanted.it_value = (struct timespec){.tv_sec = nsec / SECOND, .tv_nsec = nsec % SECOND};
        (void) syscall(SYS_timerfd_settime, fd, TFD_TIMER_ABSTIME, &wanted, NULL);
}

static void move_time(int64_t boottime, int64_t realtime) {
        boottime_offset += boottime * SECOND;
        realtime_offset += realtime * SECOND;
        for (int fd = 0; fd < FDS_MAX; fd++)
                if (timers[fd].it_value.tv_sec != 0 || timers[fd].it_value.tv_nsec != 0)
                        arm(fd);
}

EXPORTED int timerfd_create(int clock, int flags) {
        int fd;

        NEXT(timerfd_create);
        fd = next(clock, flags);
        if (fd >= 0 && fd < FDS_MAX) {
                timer_clocks[fd] = clock;
                timers[fd] = (struct itimerspec){};
        }
        return fd;
}

EXPORTED int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old) {
        NEXT(timerfd_settime);
        if (fd < 0 || fd >= FDS_MAX || !(flags & TFD_TIMER_ABSTIME))
                return next(fd, flags, new, old);

        pthread_mutex_lock(&lock);
        timers[fd] = *new;
        if (new->it_value.tv_sec != 0 || new->it_value.tv_nsec != 0)
                arm(fd);
        else
                (void) syscall(SYS_timerfd_settime, fd, flags, new, old);
        pthread_mutex_unlock(&lock);
        return 0;
}

EXPORTED int clock_gettime(clockid_t clock, struct timespec *ret) {
        int64_t nsec, offset;
        int r;

        NEXT(clock_gettime);
        r = next(clock, ret);
        offset = clock == CLOCK_BOOTTIME                                     ? boottime_offset
                 : clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ? realtime_offset
                                                                             : 0;
        if (r < 0 || offset == 0)
                return r;
        nsec = ret->tv_sec * SECOND + ret->tv_nsec + offset;
        *ret = (struct timespec){.tv_sec = nsec / SECOND, .tv_nsec = nsec % SECOND};
        return 0;
}

EXPORTED int gettimeofday(struct timeval *restrict ret, void *restrict zone) {
        struct timespec now;

        (void) clock_gettime(CLOCK_REALTIME, &now);
        *ret = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
        return 0;
}

EXPORTED time_t time(time_t *ret) {
        struct timespec now;

        (void) clock_gettime(CLOCK_REALTIME, &now);
        if (ret)
                *ret = now.tv_sec;
        return now.tv_sec;
}

/* -- what the plan says meanwhile --------------------------------------------- */

static void obey(const char *line) {
        long long seconds;

        pthread_mutex_lock(&lock);
        if (strcmp(line, "off") == 0)
                released = true;
        else if (strcmp(line, "on") == 0) {
                released = false;
                at = counted;
                sticky = true;
        } else if (sscanf(line, "boottime %lld", &seconds) == 1)
                move_time(seconds, 0);
        else if (sscanf(line, "realtime %lld", &seconds) == 1)
                move_time(0, seconds);
        pthread_mutex_unlock(&lock);
        put(control_fd, "done\n", 5);
}

static void *listen_to_plan(void *unused) {
        char line[128];
        size_t n = 0;

        while (n < sizeof(line) - 1 && syscall(SYS_read, control_fd, line + n, 1UL) == 1) {
                if (line[n++] != '\n')
                        continue;
                line[n - 1] = '\0';
                obey(line);
                n = 0;
        }
        return NULL;
}

static void open_control(const char *path) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        sigset_t all, before;
        pthread_t thread;

        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        control_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (syscall(SYS_connect, control_fd, &address, sizeof(address)) < 0)
                abort();
        /* Signals are for the event loop. */
        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &before);
        if (pthread_create(&thread, NULL, listen_to_plan, NULL) != 0)
                abort();
        (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static int open_output(const char *variable) {
        const char *path = getenv(variable);

        if (!path)
                return -1;
        return (int) syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC,
                             0600);
}

__attribute__((constructor)) static void set_up(void) {
        const char *text;

        if ((text = getenv("FAULT_STATE")))
                state_size = (size_t) snprintf(state_dir, sizeof(state_dir), "%s", text);
        trace_fd = open_output("FAULT_TRACE");
        journal_fd = open_output("FAULT_JOURNAL");
        if ((text = getenv("FAULT_KIND")))
                for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
                        if (strcmp(kinds[i].name, text) == 0)
                                kind = i;
        at = (text = getenv("FAULT_AT")) ? strtoull(text, NULL, 10) : 0;
        value = (text = getenv("FAULT_VALUE")) ? strtoll(text, NULL, 10) : 0;
        sticky = getenv("FAULT_LAST");
        kill_after = (text = getenv("FAULT_KILL")) ? strtoull(text, NULL, 10) : 0;
        if ((text = getenv("FAULT_CONTROL")))
                open_control(text);
}

/* -- files and what they are --------------------------------------------------- */

static const File *file_of(int fd) {
        static const File none = {CLASS_OTHER, ""};

        return fd >= 0 && fd < FDS_MAX ? &files[fd] : &none;
}

static void name_file(int fd, Class class, const char *name) {
        if (fd < 0 || fd >= FDS_MAX)
                return;
        files[fd].class = class;
        (void) snprintf(files[fd].name, sizeof(files[fd].name), "%s", name);
}

/* The name in the state directory, "" for itself, NULL elsewhere. */
static const char *state_name(int dir, const char *path) {
        if (path[0] != '/')
                return file_of(dir)->class == CLASS_DIRECTORY ? path : NULL;
        if (state_size == 0 || strncmp(path, state_dir, state_size) != 0)
                return NULL;
        if (path[state_size] == '\0')
                return path + state_size;
        return path[state_size] == '/' ? path + state_size + 1 : NULL;
}

static Class class_of_socket(int fd) {
        struct sockaddr_storage address = {};
        socklen_t size = sizeof(address);

        if (fd < 0 || fd >= FDS_MAX)
                return CLASS_OTHER;
        if (files[fd].class != CLASS_UNKNOWN)
                return files[fd].class;
        if (fd == control_fd || getpeername(fd, (struct sockaddr *) &address, &size) < 0)
                return CLASS_OTHER; /* not yet, perhaps */

        if (address.ss_family == AF_INET || address.ss_family == AF_INET6)
                name_file(fd, CLASS_LINK, "link");
        else if (address.ss_family == AF_UNIX) {
                int type = 0;
                socklen_t type_size = sizeof(type);

                (void) getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size);
                name_file(fd, type == SOCK_STREAM ? CLASS_BUS : CLASS_OTHER, "bus");
        } else
                name_file(fd, CLASS_OTHER, "");
        return files[fd].class;
}

static void note(char what, int fd, const char *name, size_t name_size, uint64_t offset, const void *data,
                 size_t size) {
        struct Entry entry = {what, (uint8_t) name_size, (uint32_t) size, 0, offset};
        struct stat st;

        if (journal_fd < 0)
                return;
        if (fd >= 0 && fstat(fd, &st) >= 0)
                entry.inode = st.st_ino;
        put(journal_fd, &entry, sizeof(entry));
        put(journal_fd, name, name_size);
        put(journal_fd, data, size);
}

/* -- the fault ------------------------------------------------------------------- */

/* The codes of the frames in a piece of the link's stream. */
static size_t name_frames(char *to, size_t size, const uint8_t *data, size_t n) {
        size_t length = 0;

        to[0] = '\0';
        while (n >= 4 && (data[0] == '<' || data[0] == '>') && length + 4 < size) {
                size_t frame = 3 + data[1] + 256U * data[2];

                length += (size_t) snprintf(to + length, size - length, " %u", data[3]);
                if (frame > n)
                        break;
                data += frame;
                n -= frame;
        }
        return length;
}

static _Noreturn void die(void) {
        (void) syscall(SYS_kill, getpid(), SIGKILL);
        for (;;)
                pause();
}

/* Counts a call that is about to be made. Returns whether the fault is for it. */
static bool meets(Counts what, const char *class, const char *call, const char *about) {
        bool mine = kind < sizeof(kinds) / sizeof(kinds[0]) &&
                    (kinds[kind].counts == COUNTS_ALL ? what != COUNTS_READ
                     : kinds[kind].counts == COUNTS_CHANGE
                                     ? what == COUNTS_WRITE || what == COUNTS_SYNC || what == COUNTS_CHANGE
                                     : kinds[kind].counts == what);

        calls++;
        counted += mine;
        trace(mine, class, call, about);
        if (kill_at > 0 && calls >= kill_at)
                die();
        if (mine && at > 0 && counted == at && kill_after > 0)
                kill_at = calls + kill_after;
        if (!mine || at == 0 || released || counted < at || (counted > at && !sticky))
                return false;

        if (is("kill"))
                die();
        if (is("stop")) {
                move_time(value, 0);
                (void) syscall(SYS_kill, getpid(), SIGSTOP);
                return false;
        }
        if (is("clock")) {
                move_time(0, value);
                return false;
        }
        return true;
}

/* The error that a change of the state directory meets, or 0. growing: needs more room than it has. */
static int refuses(Counts what, const char *call, const char *name, bool growing) {
        if (!meets(what, "state", call, name))
                return 0;
        if (is("full"))
                return growing ? ENOSPC : 0;
        if (is("enospc"))
                return what == COUNTS_SYNC ? 0 : ENOSPC;
        if (is("erofs"))
                return what == COUNTS_SYNC ? 0 : EROFS;
        return is("eio") || is("fsync") || is("read") ? EIO : 0;
}

/* -- changes of the state directory ------------------------------------------------ */

static int open_state(int dir, const char *path, const char *name, int flags, mode_t mode) {
        bool made = false;
        int fd, error = 0;

        pthread_mutex_lock(&lock);
        if (flags & O_CREAT)
                made = syscall(SYS_faccessat, dir, path, F_OK) < 0;
        if (made || (flags & (O_WRONLY | O_RDWR)))
                error = refuses(made ? COUNTS_CHANGE : COUNTS_READ, "open", name, true);
        if (error == 0 && made == false && is("erofs") && (flags & (O_WRONLY | O_RDWR)) && counted >= at &&
            sticky && !released && at > 0)
                error = EROFS;
        fd = error == 0 ? (int) syscall(SYS_openat, dir, path, flags, mode) : -1;
        if (fd >= 0) {
                name_file(fd, name[0] == '\0' || (flags & O_DIRECTORY) ? CLASS_DIRECTORY : CLASS_STATE, name);
                if (made)
                        note('c', fd, name, strlen(name), 0, NULL, 0);
        }
        pthread_mutex_unlock(&lock);
        if (error != 0)
                errno = error;
        return fd;
}

static int open_any(int dir, const char *path, int flags, va_list ap) {
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? (mode_t) va_arg(ap, int) : 0;
        const char *name = state_name(dir, path);
        int fd;

        if (name)
                return open_state(dir, path, name, flags, mode);
        fd = (int) syscall(SYS_openat, dir, path, flags, mode);
        name_file(fd, CLASS_UNKNOWN, "");
        return fd;
}

EXPORTED int open(const char *path, int flags, ...) {
        va_list ap;
        int fd;

        va_start(ap, flags);
        fd = open_any(AT_FDCWD, path, flags, ap);
        va_end(ap);
        return fd;
}

EXPORTED int openat(int dir, const char *path, int flags, ...) {
        va_list ap;
        int fd;

        va_start(ap, flags);
        fd = open_any(dir, path, flags, ap);
        va_end(ap);
        return fd;
}

EXPORTED int close(int fd) {
        NEXT(close);
        if (file_of(fd)->class == CLASS_LINK)
                trace(false, "link", "close", "");
        name_file(fd, CLASS_UNKNOWN, "");
        if (fd >= 0 && fd < FDS_MAX)
                timers[fd] = (struct itimerspec){};
        return next(fd);
}

/* offset < 0: where the file stands. */
static ssize_t write_state(int fd, const void *data, size_t size, off_t offset) {
        const File *file = file_of(fd);
        struct stat st = {};
        ssize_t n;
        int error;

        pthread_mutex_lock(&lock);
        if (offset < 0)
                offset = lseek(fd, 0, SEEK_CUR);
        (void) fstat(fd, &st);
        error = refuses(COUNTS_WRITE, "write", file->name, offset + (off_t) size > st.st_size);
        if (error == 0 && at > 0 && counted >= at && !released && (counted == at || sticky)) {
                if (is("short") && half)
                        error = ENOSPC;
                else if (is("short"))
                        size = size > 1 ? size / 2 : size;
                half = is("short") && !half && sticky;
        }
        if (error == 0 && is("torn") && counted == at && !released) {
                (void) syscall(SYS_pwrite64, fd, data, (size_t) value % (size + 1), offset);
                die();
        }
        n = error == 0 ? syscall(SYS_pwrite64, fd, data, size, offset) : -1;
        if (n > 0)
                note('w', fd, file->name, strlen(file->name), (uint64_t) offset, data, (size_t) n);
        pthread_mutex_unlock(&lock);
        if (error != 0)
                errno = error;
        return n;
}

static int sync_state(int fd, const char *call) {
        const File *file = file_of(fd);
        bool directory = file->class == CLASS_DIRECTORY;
        int error;

        pthread_mutex_lock(&lock);
        error = refuses(COUNTS_SYNC, call, directory ? "directory" : file->name, false);
        /* The disk is a journal here: nothing has to be waited for. */
        note(error != 0 ? 'f' : directory ? 'd' : 's', fd, file->name, strlen(file->name), 0, NULL, 0);
        pthread_mutex_unlock(&lock);
        if (error == 0)
                return 0;
        errno = error;
        return -1;
}

EXPORTED ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
        if (file_of(fd)->class == CLASS_STATE)
                return write_state(fd, data, size, offset);
        return syscall(SYS_pwrite64, fd, data, size, offset);
}

EXPORTED ssize_t pread(int fd, void *data, size_t size, off_t offset) {
        int error = 0;

        if (file_of(fd)->class == CLASS_STATE) {
                pthread_mutex_lock(&lock);
                error = refuses(COUNTS_READ, "read", file_of(fd)->name, false);
                pthread_mutex_unlock(&lock);
        }
        if (error != 0) {
                errno = error;
                return -1;
        }
        return syscall(SYS_pread64, fd, data, size, offset);
}

EXPORTED int fsync(int fd) {
        NEXT(fsync);
        return file_of(fd)->class >= CLASS_STATE && file_of(fd)->class <= CLASS_DIRECTORY
                               ? sync_state(fd, "fsync")
                               : next(fd);
}

EXPORTED int fdatasync(int fd) {
        NEXT(fdatasync);
        return file_of(fd)->class == CLASS_STATE ? sync_state(fd, "fdatasync") : next(fd);
}

static int truncate_state(int fd, off_t size) {
        const File *file = file_of(fd);
        struct stat st = {};
        int error, r;

        pthread_mutex_lock(&lock);
        (void) fstat(fd, &st);
        error = refuses(COUNTS_CHANGE, "truncate", file->name, size > st.st_size);
        r = error == 0 ? (int) syscall(SYS_ftruncate, fd, size) : -1;
        if (r >= 0)
                note('t', fd, file->name, strlen(file->name), (uint64_t) size, NULL, 0);
        pthread_mutex_unlock(&lock);
        if (error != 0)
                errno = error;
        return r;
}

EXPORTED int ftruncate(int fd, off_t size) {
        if (file_of(fd)->class == CLASS_STATE)
                return truncate_state(fd, size);
        return (int) syscall(SYS_ftruncate, fd, size);
}

static int unlink_any(int dir, const char *path, int flags) {
        const char *name = state_name(dir, path);
        int error, r;

        if (!name)
                return (int) syscall(SYS_unlinkat, dir, path, flags);
        pthread_mutex_lock(&lock);
        error = syscall(SYS_faccessat, dir, path, F_OK) < 0 ? 0
                                                            : refuses(COUNTS_CHANGE, "unlink", name, false);
        r = error == 0 ? (int) syscall(SYS_unlinkat, dir, path, flags) : -1;
        if (r >= 0)
                note('u', -1, name, strlen(name), 0, NULL, 0);
        pthread_mutex_unlock(&lock);
        if (error != 0)
                errno = error;
        return r;
}

EXPORTED int unlink(const char *path) {
        return unlink_any(AT_FDCWD, path, 0);
}

EXPORTED int unlinkat(int dir, const char *path, int flags) {
        return unlink_any(dir, path, flags);
}

static int rename_any(int from_dir, const char *from, int to_dir, const char *to) {
        const char *a = state_name(from_dir, from), *b = state_name(to_dir, to);
        char names[256];
        int error, r;

        if (!a || !b)
                return (int) syscall(SYS_renameat, from_dir, from, to_dir, to);
        pthread_mutex_lock(&lock);
        error = refuses(COUNTS_CHANGE, "rename", a, false);
        r = error == 0 ? (int) syscall(SYS_renameat, from_dir, from, to_dir, to) : -1;
        if (r >= 0)
                note('r', -1, names, (size_t) snprintf(names, sizeof(names), "%s%c%s", a, '\0', b), 0, NULL,
                     0);
        pthread_mutex_unlock(&lock);
        if (error != 0)
                errno = error;
        return r;
}

EXPORTED int rename(const char *from, const char *to) {
        return rename_any(AT_FDCWD, from, AT_FDCWD, to);
}

EXPORTED int renameat(int from_dir, const char *from, int to_dir, const char *to) {
        return rename_any(from_dir, from, to_dir, to);
}

static void colour(struct statvfs *st) {
        if (at == 0 || counted < at || released || !sticky)
                return;
        if (is("full"))
                st->f_bavail = st->f_bfree = 0;
        if (is("erofs"))
                st->f_flag |= ST_RDONLY;
}

EXPORTED int fstatvfs(int fd, struct statvfs *ret) {
        int r;

        NEXT(fstatvfs);
        r = next(fd, ret);
        colour(ret);
        return r;
}

/* -- the link and the bus ------------------------------------------------------------ */

static void pass_socket(int fd, const char *call, const void *data, size_t size) {
        char about[128] = "";

        switch (class_of_socket(fd)) {
        case CLASS_LINK:
                (void) name_frames(about, sizeof(about), data, size);
                pthread_mutex_lock(&lock);
                (void) meets(COUNTS_ALL, "link", call, about);
                pthread_mutex_unlock(&lock);
                break;
        case CLASS_BUS:
                pthread_mutex_lock(&lock);
                (void) meets(COUNTS_ALL, "bus", call, "");
                pthread_mutex_unlock(&lock);
                break;
        default:
                break;
        }
}

EXPORTED ssize_t write(int fd, const void *data, size_t size) {
        if (file_of(fd)->class == CLASS_STATE)
                return write_state(fd, data, size, -1);
        return syscall(SYS_write, fd, data, size);
}

EXPORTED ssize_t send(int fd, const void *data, size_t size, int flags) {
        pass_socket(fd, "send", data, size);
        return syscall(SYS_sendto, fd, data, size, flags, NULL, 0);
}

EXPORTED ssize_t recv(int fd, void *data, size_t size, int flags) {
        char about[128] = "";
        ssize_t n;

        pass_socket(fd, "recv", NULL, 0);
        n = syscall(SYS_recvfrom, fd, data, size, flags, NULL, NULL);
        if (n > 0 && class_of_socket(fd) == CLASS_LINK) {
                /* After the call: what came is known only now. */
                (void) name_frames(about, sizeof(about), data, (size_t) n);
                pthread_mutex_lock(&lock);
                (void) meets(COUNTS_ALL, "link", "got", about);
                pthread_mutex_unlock(&lock);
        }
        return n;
}

EXPORTED ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
        pass_socket(fd, "sendmsg", NULL, 0);
        return syscall(SYS_sendmsg, fd, message, flags);
}

EXPORTED ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
        pass_socket(fd, "recvmsg", NULL, 0);
        return syscall(SYS_recvmsg, fd, message, flags);
}
