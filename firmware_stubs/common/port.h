/* port.h - all that a board's firmware knows of the world: time, CAN, serial, outputs, inputs.
 *
 * A port is a table of calls and their context.  No call waits: what is not there yet is told by the
 * return value.  The same firmware runs on any port: in process, as a process, on a microcontroller.
 */
#ifndef PORT_H
#define PORT_H

#include <stddef.h>
#include <stdint.h>

#define PORT_CHANNELS 8 /* most actuator outputs, and most sensor inputs, of a board */
#define PORT_LINES 3    /* serial lines on which single sensors speak */

/* One classical CAN frame, laid out as Linux's struct can_frame. */
typedef struct {
    uint32_t id; /* bit 31 extended, 30 remote, 29 error: none of them is used on this bus */
    uint8_t length;
    uint8_t reserved[3];
    uint8_t data[8];
} port_can_frame_t;

enum { /* engine_valve: actuator channels, and the sensors of the same place */
       PORT_OX = 0,
       PORT_FUEL = 1,
       PORT_GIMBAL_X = 2,
       PORT_GIMBAL_Y = 3,
       PORT_IGNITER = 4, /* out: 1 while the igniter is driven */
       PORT_CHAMBER = 4  /* in: Pa */
};

enum { /* flight_computer: lines of sensors */
       PORT_IMU = 0,
       PORT_GNSS = 1,
       PORT_ALTIMETER = 2
};

typedef struct {
    void *context;
    /* Time of the frame that runs, microseconds. */
    int64_t (*now_us)(void *context);
    /* 1: taken, 0: the transmit queue is full and the frame is lost. */
    int32_t (*can_send)(void *context, const port_can_frame_t *frame);
    /* 1: *frame was received, 0: nothing waits. */
    int32_t (*can_receive)(void *context, port_can_frame_t *frame);
    /* Number of bytes taken. */
    size_t (*serial_send)(void *context, const uint8_t *bytes, size_t count);
    /* Number of bytes received, at most `room`. */
    size_t (*serial_receive)(void *context, uint8_t *bytes, size_t room);
    void (*actuator_out)(void *context, uint32_t channel, double value);
    /* 1: *value is what the sensor says, 0: the sensor has no valid reading and *value is untouched. */
    int32_t (*sensor_in)(void *context, uint32_t channel, double *value);
    /* Number of bytes received on a sensor's line (PORT_IMU, ...), at most `room`; NULL: no such lines. */
    size_t (*line_receive)(void *context, uint32_t line, uint8_t *bytes, size_t room);
} port_t;

#endif
