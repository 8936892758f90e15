/* main_descent.c - the optimiser by itself as a Cortex-M7 image: problems in, answers and instructions out. */
#include "board.h"
#include "fk_descent.h"
#include "machine.h"
#include "semihosting.h"

typedef struct {
    fk_problem_t problem;
    int32_t free_time;
    int32_t reserved;
} question_t;

typedef struct {
    fk_answer_t answer;
    uint32_t instructions;
    uint32_t reserved;
} reply_t;

static question_t question;
static reply_t reply;

/* A search for the best final time is too long for one reading of the timer: summed over its iterations. */
static uint32_t solve(fk_descent_t *descent)
{
    uint32_t before = machine_timer();
    fk_descent_init(descent, &question.problem, question.free_time);
    uint32_t sum = machine_instructions(before, machine_timer());
    int32_t running = 1;
    for (int32_t i = 0; i < FK_DESCENT_FREE && running; ++i) {
        machine_serve_watchdog();
        before = machine_timer();
        running = fk_descent_iterate(descent, 1) == FK_DESCENT_RUNNING;
        sum += machine_instructions(before, machine_timer());
    }
    return sum;
}

void board_main(void)
{
    size_t room;
    fk_descent_t *descent = board_state(&room);
    const int32_t in = board_pipe(SEMIHOSTING_READ);
    const int32_t out = board_pipe(SEMIHOSTING_WRITE);
    while (room >= sizeof *descent && semihosting_read(in, &question, sizeof question)) {
        reply.instructions = solve(descent);
        fk_descent_result(descent, &reply.answer);
        if (!semihosting_write(out, &reply, sizeof reply)) {
            semihosting_exit(1);
        }
    }
    semihosting_exit(0);
}
