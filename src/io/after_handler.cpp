// SPDX-License-Identifier: Apache-2.0
#include "io/after_handler.h"

#include <boost/asio/post.hpp>
#include <utility>

namespace penstock::io {

struct AfterHandler::State {
    std::move_only_function<void()> work;
    bool asked = false;
    bool over = false;
};

AfterHandler::AfterHandler(Executor executor, std::move_only_function<void()> work)
    : executor_(std::move(executor)), state_(std::make_shared<State>(std::move(work))) {}
AfterHandler::~AfterHandler() { state_->over = true; }

void AfterHandler::ask() {
    if (std::exchange(state_->asked, true)) return;
    boost::asio::post(executor_, [state = state_] {
        state->asked = false;
        if (!state->over) state->work();
    });
}

}  // namespace penstock::io
