// SPDX-License-Identifier: Apache-2.0
#include "routing/answer_texts.h"

#include "routing/json_scanner.h"

namespace penstock::routing {
namespace {

using Kind = JsonScanner::Kind;
using String = JsonScanner::String;

// What one choice said; its index may stand behind its texts.
struct Said {
    std::int64_t choice = 0;
    std::string visible;
    std::string reasoning;  // under the first name that carries any
};

class SaidReader {
  public:
    SaidReader(std::string_view json, AnswerTexts& texts)
        : scan_(json, JsonScanner::Text::lenient), texts_(texts) {}

    void run() {
        members([&](const String& key) {
            scan_.equals(key, "choices") ? elements([&] { read_choice(); }) : skip();
        });
    }

  private:
    template <class Visit>
    void members(Visit&& visit) {
        if (scan_.peek() != Kind::object) return skip();
        scan_.enter_object();
        String key;
        while (scan_.next_member(key)) visit(key);
    }
    template <class Visit>
    void elements(Visit&& visit) {
        if (scan_.peek() != Kind::array) return skip();
        scan_.enter_array();
        while (scan_.next_element()) visit();
    }
    void skip() { static_cast<void>(scan_.skip()); }

    void append_string(std::string& to) {
        String value;
        if (scan_.peek() != Kind::string) return skip();
        if (scan_.read_string(value)) to += scan_.decode(value);
    }

    void read_choice() {
        said_ = {};
        members([&](const String& key) {
            if (scan_.equals(key, "index"))
                said_.choice = scan_.read_integer().value_or(0);
            else if (scan_.equals(key, "delta") || scan_.equals(key, "message"))
                members([&](const String& part) { read_part(part); });
            else
                skip();
        });
        texts_.add(said_.choice, AnswerTexts::Side::visible, said_.visible);
        texts_.add(said_.choice, AnswerTexts::Side::reasoning, said_.reasoning);
    }

    void read_part(const String& key) {
        if (scan_.equals(key, "reasoning_content") || scan_.equals(key, "reasoning"))
            read_reasoning();
        else if (scan_.equals(key, "content") || scan_.equals(key, "refusal"))
            append_string(said_.visible);
        else if (scan_.equals(key, "tool_calls"))
            elements([&] { members([&](const String& part) { read_call(part); }); });
        else
            skip();
    }

    void read_reasoning() {
        std::string text;
        append_string(text);
        if (said_.reasoning.empty()) said_.reasoning = std::move(text);
    }

    void read_call(const String& key) {
        if (!scan_.equals(key, "function")) return skip();
        members([&](const String& part) {
            scan_.equals(part, "name") || scan_.equals(part, "arguments")
                ? append_string(said_.visible)
                : skip();
        });
    }

    JsonScanner scan_;
    AnswerTexts& texts_;
    Said said_;
};

}  // namespace

void AnswerTexts::add(std::int64_t choice, Side side, std::string_view text) {
    if (text.empty()) return;
    if (!whole_ || text.size() > kBytesMax - bytes_) {
        whole_ = false;
        texts_.clear();
        bytes_ = 0;
        return;
    }
    bytes_ += text.size();
    texts_[{choice, side}].append(text);
}

void AnswerTexts::add_chat(std::string_view json) {
    if (whole_) SaidReader(json, *this).run();
}

}  // namespace penstock::routing
