// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/enum.hpp>

namespace penstock {

// How an engine is asked to go on with an answer that another one began. Not said: it cannot.
enum class Continuation {
    none,
    final_message,  // continue_final_message of vLLM and SGLang
    prefill,  // the last message is the model's own, and no more: llama.cpp, Anthropic, Ollama
    prefix    // the last message is marked "prefix": DeepSeek, Mistral
};
BOOST_DESCRIBE_ENUM(Continuation, none, final_message, prefill, prefix)

}  // namespace penstock
