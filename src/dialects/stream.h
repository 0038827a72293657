// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "dialects/answer_context.h"
#include "dialects/canonical.h"

// Streamed answers, frame by frame: nothing is held back that can be told already.
namespace penstock::dialects {

constexpr std::int64_t kStreamChoicesMax = 128;
constexpr std::int64_t kStreamPartsMax = 1024;  // of one choice
// What a writer may keep of an answer: Responses repeats all of it at the end, Ollama tells the
// arguments of a call at once. Above: resource_exhausted, and the stream ends with an error.
constexpr std::size_t kStreamKeptBytesMax = 8UL * 1024 * 1024;

// Reads the engine's side.
class StreamReader {
  public:
    virtual ~StreamReader() = default;
    // `name` of a server-sent event and its data; of NDJSON a line without a name.
    virtual Result<StreamFrame> read(std::string_view name, std::string_view data) = 0;
    // The engine closed its body in order. Where it had given a reason to stop, that is the end of
    // a dialect whose end mark it left out; else nothing is made up.
    StreamFrame close() const;

  protected:
    // Called by readers with what they return.
    void note(const StreamFrame& frame);

  private:
    bool finished_ = false;
    bool ended_ = false;
};
std::unique_ptr<StreamReader> make_stream_reader(
    Dialect dialect, std::string_view call_prefix = "call_"
);

// What a stream that broke is told as; a status decides on Anthropic's type of it.
struct StreamFailure {
    int status = 502;  // as an HTTP status: 504 the deadline, 502 the engine
    std::string type;  // as in OpenAI's errors
    std::string code;
    std::string message;
};

// What the engine's own error event is told as: its class stays (too many requests, overload, time,
// the client's mistake); what is between the platform and the provider does not pass.
StreamFailure failure_of(const StreamEvent& error);

// Writes the client's side: appends bytes of whole events.
class StreamWriter {
  public:
    virtual ~StreamWriter() = default;
    virtual Result<void> write(const StreamFrame& frame, std::string& out) = 0;
    // The dialect's own error; nothing may follow.
    virtual void fail(const StreamFailure& failure, std::string& out) = 0;
    // What the client's dialect had no word for since the last time, by its place in the engine's
    // stream. A name may come again.
    Losses take_losses() { return std::exchange(losses_, {}); }

  protected:
    void lose(std::string field) { losses_.said.push_back(std::move(field)); }
    void leave_out(std::string field) { losses_.beside.push_back(std::move(field)); }
    // Everything in the frame that is its dialect's own, and choices that the client's dialect has
    // not.
    void lose_natives(const StreamFrame& frame, bool one_choice);

  private:
    void lose_natives(const StreamEvent& event);
    Losses losses_;
};
std::unique_ptr<StreamWriter> make_stream_writer(Dialect from, Dialect to, AnswerContext context);
std::string_view stream_content_type(Dialect dialect);

// ---- for the codecs ----

std::unique_ptr<StreamReader> make_chat_reader();
std::unique_ptr<StreamReader> make_anthropic_reader();
std::unique_ptr<StreamReader> make_ollama_reader(std::string_view call_prefix);
std::unique_ptr<StreamWriter> make_chat_writer(Dialect from, AnswerContext context);
std::unique_ptr<StreamWriter> make_anthropic_writer(Dialect from, AnswerContext context);
std::unique_ptr<StreamWriter> make_ollama_writer(Dialect from, AnswerContext context);
std::unique_ptr<StreamWriter> make_responses_writer(Dialect from, AnswerContext context);

// "event: name\ndata: …\n\n"; without a name only the data.
void append_sse(std::string& out, std::string_view name, const Json& data);
StreamEvent event_of(StreamEvent::Kind kind, std::int64_t choice = 0);
Result<Json> parse_frame(std::string_view data);

}  // namespace penstock::dialects
