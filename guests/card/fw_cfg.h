/* guests/card/fw_cfg.h - QEMU's fw_cfg: files between the machine and its guest. */
#ifndef CARD_FW_CFG_H
#define CARD_FW_CFG_H

#include "card.h"

/** Writes a whole file. VT_VIRTIO_E_NO_DEVICE: no fw_cfg, or no such file; _PROTOCOL: refused. */
int fw_cfg_write(const char *name, const void *from, size_t bytes);

#endif
