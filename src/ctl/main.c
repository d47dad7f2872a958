/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "execute.h"

int main(int argc, char *argv[]) {
        return (int) execute(argc, argv, NULL);
}
