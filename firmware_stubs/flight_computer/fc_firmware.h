/* fc_firmware.h - the flight computer with the kernel that is linked in. */
#ifndef FC_FIRMWARE_H
#define FC_FIRMWARE_H

#include "firmware.h"

extern const firmware_t fc_firmware;

#endif
