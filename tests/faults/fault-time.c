/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Time that can be moved: the clocks, and the timers that were set by them. */

#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "fault-shim.h"

#define SECOND INT64_C(1000000000)

static clockid_t timer_clocks[FDS_MAX];
static struct itimerspec timers[FDS_MAX];        /* as they were asked for */
static int64_t boottime_offset, realtime_offset; /* ns */

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

void fault_time_move(int64_t boottime, int64_t realtime) {
        boottime_offset += boottime * SECOND;
        realtime_offset += realtime * SECOND;
        for (int fd = 0; fd < FDS_MAX; fd++)
                if (timers[fd].it_value.tv_sec != 0 || timers[fd].it_value.tv_nsec != 0)
                        arm(fd);
}

void fault_time_forget(int fd) {
        if (fd >= 0 && fd < FDS_MAX)
                timers[fd] = (struct itimerspec){};
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

        pthread_mutex_lock(&fault_lock);
        timers[fd] = *new;
        if (new->it_value.tv_sec != 0 || new->it_value.tv_nsec != 0)
                arm(fd);
        else
                (void) syscall(SYS_timerfd_settime, fd, flags, new, old);
        pthread_mutex_unlock(&fault_lock);
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
