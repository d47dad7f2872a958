/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * First program of the lab guest (static, runs from the initramfs).
 *
 * Loads the modules listed in /modules (one path per line, in dependency
 * order), mounts the root disk and hands over to the real systemd on it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what) {
        fprintf(stderr, "lab-init: %s: %s\n", what, strerror(errno));
        sleep(1);
        _exit(1); /* the kernel panics; panic=-1 makes qemu exit */
}

static void load_modules(void) {
        char line[256];
        FILE *f = fopen("/modules", "re");

        if (!f)
                die("/modules");
        while (fgets(line, sizeof(line), f)) {
                int fd;

                line[strcspn(line, "\n")] = 0;
                fd = open(line, O_RDONLY | O_CLOEXEC);
                if (fd < 0)
                        die(line);
                if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
                        die(line);
                close(fd);
        }
        fclose(f);
}

int main(void) {
        const char *disk = "/dev/vda";
        int i;

        mkdir("/dev", 0755);
        mkdir("/root", 0755);
        mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
        load_modules();
        for (i = 0; i < 1000 && access(disk, F_OK); i++)
                nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        if (mount(disk, "/root", "ext4", 0, NULL))
                die("mount root");
        if (mount("/dev", "/root/dev", NULL, MS_MOVE, NULL))
                die("move /dev");
        if (chdir("/root") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
                die("switch root");
        execl("/lib/systemd/systemd", "/lib/systemd/systemd", (char *) NULL);
        die("exec systemd");
}
