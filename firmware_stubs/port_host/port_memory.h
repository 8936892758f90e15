/* port_memory.h - a port in plain memory: the bench fills it before a frame and empties it after. */
#ifndef PORT_MEMORY_H
#define PORT_MEMORY_H

#include "port.h"

#define PORT_MEMORY_CAN 1024
#define PORT_MEMORY_SERIAL 4096
#define PORT_MEMORY_LINE 4096

typedef struct {
    int64_t now_us;
    uint32_t can_in;  /* frames that wait */
    uint32_t can_out; /* frames that were sent */
    uint32_t can_read;
    uint32_t can_lost; /* frames that found the transmit queue full */
    uint32_t serial_in;
    uint32_t serial_read;
    uint32_t sensor_valid; /* bit of each channel */
    uint32_t reserved;
    double sensor[PORT_CHANNELS];
    double actuator[PORT_CHANNELS];
    port_can_frame_t inbox[PORT_MEMORY_CAN];
    port_can_frame_t outbox[PORT_MEMORY_CAN];
    uint8_t serial[PORT_MEMORY_SERIAL];
    uint32_t line_in[PORT_LINES];
    uint32_t line_read[PORT_LINES];
    uint8_t line[PORT_LINES][PORT_MEMORY_LINE];
} port_memory_t;

/* Clears the memory and makes `port` speak for it. */
void port_memory_init(port_memory_t *memory, port_t *port);

#endif
