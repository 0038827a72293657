// SPDX-License-Identifier: Apache-2.0
#include "routing/decision.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace penstock::routing {
namespace {

void append_number(std::string& out, double value) {
    std::array<char, 48> text{};
    const int length = std::snprintf(text.data(), text.size(), "%.1f", value);
    if (length > 0) out.append(text.data(), static_cast<std::size_t>(length));
}

void append_term(std::string& out, const char* name, double value, char sign) {
    if (value == 0) return;
    out.append(1, ' ').append(1, sign).append(1, ' ').append(name).append(1, ' ');
    append_number(out, value);
}

void append_terms(std::string& out, const CandidateNote& note) {
    const ScoreTerms& terms = note.terms;
    out += "queue ";
    append_number(out, terms.queue);
    append_term(out, "prefix", terms.prefix, '-');
    append_term(out, "others", terms.others, '+');
    append_term(out, "price", terms.price, '+');
    append_term(out, "network", terms.network, '+');
    append_term(out, "wish", terms.wish, '+');
    append_term(out, "memory", terms.memory, '+');
    out += " = ";
    append_number(out, terms.score());
    out += " ms";
    if (note.own_rates) out += " (own rates)";
    if (note.sticky) out += " (session)";
}

std::string_view to_text(Decision::Form form) {
    switch (form) {
        case Decision::Form::learned:
            return "learned rates";
        case Decision::Form::reference:
            return "reference rates";
        case Decision::Form::two_choices:
            return "two choices";
    }
    return "";
}

}  // namespace

std::string_view to_text(FilterReason reason) {
    switch (reason) {
        case FilterReason::none:
            return "candidate";
        case FilterReason::not_ready:
            return "not ready";
        case FilterReason::protocol:
            return "protocol";
        case FilterReason::price_limit:
            return "dearer in a class of tokens than the price limit";
        case FilterReason::provider_not_in:
            return "provider not allowed by the call";
        case FilterReason::provider_ignored:
            return "provider ignored by the call";
        case FilterReason::region:
            return "in another region";
        case FilterReason::quantization:
            return "quantization";
        case FilterReason::data_policy:
            return "data_policy";
        case FilterReason::tried:
            return "tried before";
        case FilterReason::breaker:
            return "left alone after failures";
        case FilterReason::slow:
            return "left alone for slowness";
        case FilterReason::phase:
            return "set up for another phase";
        case FilterReason::drained:
            return "weight 0";
        case FilterReason::lower_order:
            return "behind others in the call's order";
    }
    return "";
}

std::string explain(const Decision& decision) {
    std::string out(to_text(decision.form));
    if (decision.guarded) out += ", uneven load: caches not counted";
    for (const CandidateNote& note : decision.candidates) {
        out.append("; ").append(to_string(note.endpoint_id));
        if (decision.chosen == note.endpoint_id) out += " chosen";
        out += ": ";
        if (note.filtered != FilterReason::none)
            out += to_text(note.filtered);
        else if (decision.form == Decision::Form::two_choices)
            out.append(std::to_string(note.in_flight)).append(" in flight");
        else
            append_terms(out, note);
    }
    return out;
}

std::string explain_to_tenant(
    const Decision& decision, const std::function<std::string(const EndpointId&)>& name_of
) {
    constexpr std::size_t kCountMax = 32;  // "; and 10000 more"
    std::string out(to_text(decision.form));
    if (decision.guarded) out += ", uneven load: caches not counted";
    std::vector<const CandidateNote*> notes;
    for (const CandidateNote& note : decision.candidates) notes.push_back(&note);
    const auto chosen = std::ranges::find_if(notes, [&](const CandidateNote* note) {
        return decision.chosen == note->endpoint_id;
    });
    if (chosen != notes.end()) std::rotate(notes.begin(), chosen, chosen + 1);
    std::size_t left_out = 0;
    for (const CandidateNote* note : notes) {
        std::string entry = "; " + name_of(note->endpoint_id);
        if (decision.chosen == note->endpoint_id) entry += " chosen";
        entry += ": ";
        if (note->filtered != FilterReason::none || decision.form == Decision::Form::two_choices)
            entry += to_text(note->filtered);
        else
            append_terms(entry, *note);
        if (out.size() + entry.size() > kRoutingTextMax - kCountMax)
            ++left_out;
        else
            out += entry;
    }
    if (left_out > 0) out.append("; and ").append(std::to_string(left_out)).append(" more");
    return out;
}

}  // namespace penstock::routing
