/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <grp.h>
#include <libserialport.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <time.h>

#include "log.h"
#include "macros.h"
#include "tty-internal.h"

#define BAUD 115200 /* wire reference 1.2 */

#define CLOSE_WAIT_NSEC (20 * 1000 * 1000)

/* Documentation/admin-guide/devices.txt of the kernel: Unix98 pty slaves. */
#define PTY_MAJOR_FIRST 136
#define PTY_MAJOR_LAST  143

static const char *const serial_lines_names[_SERIAL_LINES_MAX] = {
                [SERIAL_LINES_DEFAULT] = "default", [SERIAL_LINES_OTHER] = "other", [SERIAL_LINES_ON] = "on",
                [SERIAL_LINES_OFF] = "off",         [SERIAL_LINES_KEEP] = "keep",
};

const char *serial_lines_to_string(SerialLines lines) {
        if (lines < 0 || lines >= _SERIAL_LINES_MAX)
                return NULL;
        return serial_lines_names[lines];
}

SerialLines tty_default_lines(const char *driver, int vendor, int product) {
        /* The ESP32-S3's own USB-JTAG unit resets the chip on certain orders of changes. */
        if (vendor == 0x303A && product == 0x1001)
                return SERIAL_LINES_KEEP;
        /* WCH's newer bridges speak CDC-ACM, but have the reset circuit of a bridge behind them. */
        if (vendor == 0x1A86)
                return SERIAL_LINES_OFF;
        /* The USB stack of a board takes DTR for "somebody listens". */
        if (g_strcmp0(driver, "cdc_acm") == 0)
                return SERIAL_LINES_ON;
        /* Bridges (cp210x, ch341, ftdi_sio …): the lines lead to reset and boot mode. */
        if (vendor >= 0)
                return SERIAL_LINES_OFF;
        return SERIAL_LINES_KEEP;
}

SerialLines tty_other_lines(SerialLines lines) {
        return lines == SERIAL_LINES_ON ? SERIAL_LINES_OFF : SERIAL_LINES_ON;
}

/* -- failures, in words ------------------------------------------------------- */

static char *explain_denied(const char *path) {
        struct group group, *found = NULL;
        char buffer[4096];
        struct stat st;

        if (stat(path, &st) >= 0 && (st.st_mode & S_IRGRP))
                (void) getgrgid_r(st.st_gid, &group, buffer, sizeof(buffer), &found);
        if (!found)
                return g_strdup_printf("no permission to use %s", path);

        return g_strdup_printf(
                        "no permission to use %s: the user that the daemon runs as must be in the group "
                        "%s",
                        path, found->gr_name);
}

static int fail(int error, const char *path, LinkEnd *ret_end, char **ret_why) {
        error = ABS(error);

        switch (error) {
        case ENOENT:
        case ENOTDIR:
        case ENODEV:
        case ENXIO:
        case EIO:
                *ret_end = LINK_END_NOT_PLUGGED;
                *ret_why = g_strdup_printf(
                                "there is no device at %s: is the radio plugged in and switched on?", path);
                break;
        case EACCES:
        case EPERM:
                *ret_end = LINK_END_REFUSED;
                *ret_why = explain_denied(path);
                break;
        case EBUSY:
        case EWOULDBLOCK:
                *ret_end = LINK_END_REFUSED;
                *ret_why = g_strdup_printf(
                                "another program is using %s: close it (a serial terminal, another "
                                "client, ModemManager)",
                                path);
                error = EBUSY;
                break;
        case ENOTTY:
                *ret_end = LINK_END_REFUSED;
                *ret_why = g_strdup_printf("%s is not a serial port", path);
                break;
        default:
                *ret_end = LINK_END_REFUSED;
                *ret_why = g_strdup_printf("cannot use %s: %s", path, g_strerror(error));
        }
        return -error;
}

/* -- setting up ----------------------------------------------------------------- */

static bool is_pty(int fd) {
        struct stat st;

        return fstat(fd, &st) >= 0 && major(st.st_rdev) >= PTY_MAJOR_FIRST &&
               major(st.st_rdev) <= PTY_MAJOR_LAST;
}

/* Raw, and quiet on hang-up: closing must not drop DTR, which resets boards. */
static int set_raw(int fd) {
        struct termios t;

        if (tcgetattr(fd, &t) < 0)
                return -errno;

        cfmakeraw(&t);
        t.c_cflag |= CLOCAL | CREAD;
        t.c_cflag &= ~(tcflag_t) (HUPCL | CRTSCTS | CSTOPB | PARENB);
        t.c_iflag &= ~(tcflag_t) (IXOFF | IXANY | INPCK);
        /* With 0, a read could not tell silence from a hang-up. */
        t.c_cc[VMIN] = 1;
        t.c_cc[VTIME] = 0;
        if (cfsetspeed(&t, B115200) < 0 || tcsetattr(fd, TCSANOW, &t) < 0)
                return -errno;
        return 0;
}

static char *find_driver(const char *device) {
        g_autofree char *name = g_path_get_basename(device);
        g_autofree char *link = g_strdup_printf("/sys/class/tty/%s/device/driver", name);
        g_autofree char *target = g_file_read_link(link, NULL);

        return target ? g_path_get_basename(target) : NULL;
}

/* The serial port library knows what kinds of ports want. It refuses what has
 * no entry in /sys and what lacks modem lines (a gadget, some adapters), for
 * which the terminal settings must do. */
static int configure_port(struct sp_port *port) {
        static const struct {
                enum sp_return (*set)(struct sp_port *port, int value);
                int value;
        } settings[] = {{sp_set_baudrate, BAUD}, {sp_set_bits, 8}, {sp_set_stopbits, 1}};

        if (sp_open(port, SP_MODE_READ_WRITE) != SP_OK)
                return -EOPNOTSUPP;

        for (size_t i = 0; i < ELEMENTSOF(settings); i++)
                if (settings[i].set(port, settings[i].value) != SP_OK)
                        return -EOPNOTSUPP;
        if (sp_set_parity(port, SP_PARITY_NONE) != SP_OK ||
            sp_set_flowcontrol(port, SP_FLOWCONTROL_NONE) != SP_OK)
                return -EOPNOTSUPP;
        return 0;
}

static void set_lines(int fd, SerialLines lines) {
        int bits;

        if (lines == SERIAL_LINES_KEEP)
                return;

        /* Both at once: in between, a reset circuit would see the one combination that resets. */
        if (ioctl(fd, TIOCMGET, &bits) < 0) {
                (void) log_debug_errno(errno, "The port has no modem lines, ignoring");
                return;
        }
        bits &= ~(TIOCM_DTR | TIOCM_RTS);
        if (lines == SERIAL_LINES_ON)
                bits |= TIOCM_DTR;
        if (ioctl(fd, TIOCMSET, &bits) < 0)
                (void) log_debug_errno(errno, "Cannot set the modem lines, ignoring");
}

static void set_up_port(int fd, const char *device, SerialLines lines) {
        g_autofree char *driver = find_driver(device);
        int vendor = -1, product = -1;
        struct sp_port *port;
        SerialLines fitting;

        if (sp_get_port_by_name(device, &port) == SP_OK) {
                if (sp_get_port_usb_vid_pid(port, &vendor, &product) != SP_OK)
                        vendor = product = -1;
                if (configure_port(port) < 0)
                        log_debug("The serial port library cannot set up %s, going on without it", device);
                (void) sp_close(port);
                sp_free_port(port);
        }

        fitting = tty_default_lines(driver, vendor, product);
        if (lines == SERIAL_LINES_DEFAULT)
                lines = fitting;
        else if (lines == SERIAL_LINES_OTHER)
                lines = tty_other_lines(fitting);
        log_debug("%s: driver %s, lines %s", device, driver ?: "unknown", serial_lines_to_string(lines));
        set_lines(fd, lines);
}

int tty_open(const char *path, SerialLines lines, int *ret_fd, LinkEnd *ret_end, char **ret_why) {
        /* The library refuses symbolic links. */
        g_autofree char *device = g_malloc(PATH_MAX);
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (!realpath(path, device))
                return fail(errno, path, ret_end, ret_why);

        fd = open(device, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return fail(errno, path, ret_end, ret_why);
        if (!isatty(fd))
                return fail(ENOTTY, path, ret_end, ret_why);

        /* Before anything is touched: it may be somebody's. */
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return fail(errno, path, ret_end, ret_why);

        if (!is_pty(fd))
                set_up_port(fd, device, lines);
        r = set_raw(fd);
        if (r < 0)
                return fail(r, path, ret_end, ret_why);

        /* On a pty it would outlive us, until its other side is closed. */
        if (!is_pty(fd) && ioctl(fd, TIOCEXCL) < 0)
                (void) log_debug_errno(errno, "Cannot keep others from opening %s, ignoring", device);

        *ret_fd = steal_fd(&fd);
        return 0;
}

static void on_alarm(int number) {
}

/* close() waits until the device has taken everything, half a minute at most, and cdc_acm throws nothing
 * away when told to flush: a radio whose firmware hangs would hang us. A signal ends
 * that wait; it comes again and again, in case the first one is early. */
static int close_soon(int fd) {
        const struct itimerspec soon = {
                        .it_value.tv_nsec = CLOSE_WAIT_NSEC,
                        .it_interval.tv_nsec = CLOSE_WAIT_NSEC,
        };
        const struct sigaction action = {.sa_handler = on_alarm};
        struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM};
        struct sigaction old_action;
        sigset_t mask, old_mask;
        timer_t timer;

        event._sigev_un._tid = gettid();
        if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
                return safe_close(fd);

        (void) sigaction(SIGALRM, &action, &old_action);
        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGALRM);
        (void) pthread_sigmask(SIG_UNBLOCK, &mask, &old_mask);
        (void) timer_settime(timer, 0, &soon, NULL);

        fd = safe_close(fd);

        (void) timer_delete(timer);
        (void) pthread_sigmask(SIG_SETMASK, &old_mask, NULL);
        (void) sigaction(SIGALRM, &old_action, NULL);
        return fd;
}

int tty_close(int fd) {
        if (fd < 0)
                return -EBADF;

        (void) tcflush(fd, TCOFLUSH);
        return close_soon(fd);
}
