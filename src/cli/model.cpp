// SPDX-License-Identifier: Apache-2.0
#include "cli/invocation.h"
#include "cli/nouns.h"
#include "cli/price_columns.h"

namespace penstock::cli {
namespace {

io::Task<Result<int>> list(Invocation* invocation) {
    static const View kView{
        .plural = "models",
        .singular = "model",
        .columns =
            {
                text_column("ID", "id"),
                text_column("PROVIDERS", "providers"),
                number_column("READY", "endpoints_ready"),
                amount_column("INPUT/M-FROM", "price_input_min"),
                amount_column("OUTPUT/M-FROM", "price_output_min"),
                wide(class_price_column("CACHE-READ/M-FROM", "prices_min", "cache_read")),
                wide(class_price_column("CACHE-WRITE-5M/M-FROM", "prices_min", "cache_write_5m")),
                wide(class_price_column("CACHE-WRITE-1H/M-FROM", "prices_min", "cache_write_1h")),
                wide(class_price_column("IMAGE/M-FROM", "prices_min", "input_image")),
                wide(class_price_column("AUDIO/M-FROM", "prices_min", "input_audio")),
                wide(class_price_column("REASONING/M-FROM", "prices_min", "output_reasoning")),
                wide(class_price_column("AUDIO-OUT/M-FROM", "prices_min", "output_audio")),
            },
    };
    co_return co_await print_list<ModelPage>(invocation, "/v1/catalogue/models", &kView);
}

}  // namespace

std::vector<Command> model_commands() {
    return {
        {.path = "model list",
         .summary = "model.list.summary",
         .examples = {"penstock model list", "penstock model list -o wide"},
         .answer = Answer::list,
         .run = list}
    };
}

}  // namespace penstock::cli
