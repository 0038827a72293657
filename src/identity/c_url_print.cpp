// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <charconv>
#include <string>

#include "identity/c_url.h"

namespace penstock::identity {
namespace {

// Appends words, letters and numbers; the grammar stands in c_url_parse.cpp and spec_parse.cpp.
class Printer {
  public:
    Printer() { text_.reserve(kCUrlLengthMax); }
    Printer& add(std::string_view word) {
        text_ += word;
        return *this;
    }
    Printer& add(char letter) {
        text_ += letter;
        return *this;
    }
    Printer& add(std::uint64_t number) {
        std::array<char, 20> digits;
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
        text_.append(digits.data(), end);
        return *this;
    }
    Printer& add(const RegistrationCode& code) {
        const CodeText digits = print(code);
        text_.append(digits.data(), digits.size());
        return *this;
    }
    std::string take() { return std::move(text_); }

  private:
    std::string text_;
};

void print_resource(const ResourcePart& part, Printer& out) {
    out.add("/R").add(part.kind.view());
    for (const ChipCount& chip : part.chips)
        out.add('.').add(chip.chip.view()).add('.').add(std::uint64_t{chip.count});
}

void print_spec(const SpecPart& part, Printer& out) {
    char separator = 'S';
    out.add('/');
    const auto attribute = [&](char letter) {
        out.add(separator).add(letter);
        separator = '-';
    };
    const auto size = [&](char letter, const std::optional<SizeValue>& value) {
        if (!value) return;
        attribute(letter);
        out.add(std::uint64_t{value->value}).add(static_cast<char>(value->unit));
    };
    for (std::size_t i = 0; i < part.peak.size(); ++i) {
        if (i == 0)
            attribute('P');
        else
            out.add('.');
        const PeakRate& rate = part.peak[i];
        out.add(std::uint64_t{rate.value}).add(static_cast<char>(rate.unit));
        out.add('.').add(rate.precision.view());
    }
    size('M', part.memory);
    size('T', part.storage);
    if (part.network) {
        attribute('N');
        out.add(std::uint64_t{part.network->gbit_per_s}).add(part.network->network_class);
    }
    if (!part.virtualisation.empty()) {
        attribute('V');
        out.add(part.virtualisation.view());
    }
    for (const OtherAttribute& other : part.others) {
        attribute(other.letter);
        out.add(other.value);
    }
}

void print_path(const PathPart& part, Printer& out) {
    out.add("/P").add(part.protocol.view());
    for (const PathCode& hop : part.hops) out.add('.').add(hop.view());
}

void print_service(const ServicePart& part, Printer& out) {
    out.add("/V").add(part.kind.view());
    for (const auto* label : {&part.name, &part.version})
        if (!label->empty()) out.add('.').add(label->view());
}

void print_query(const Query& query, Printer& out) {
    char separator = '?';
    const auto parameter = [&](std::string_view name) -> Printer& {
        out.add(separator).add(name);
        separator = '&';
        return out;
    };
    for (const Selector& selector : query.selectors)
        parameter(kSelectorPrefix).add(selector.name).add('=').add(selector.value);
    if (query.ttl_s) parameter("ttl=").add(std::uint64_t{*query.ttl_s});
    if (query.generation_min) parameter("v=").add(*query.generation_min);
}

}  // namespace

std::string to_string(const CUrl& c_url) {
    Printer out;
    out.add(kScheme).add(c_url.authority.view()).add('/').add(c_url.code);
    if (c_url.resource) print_resource(*c_url.resource, out);
    if (c_url.spec) print_spec(*c_url.spec, out);
    if (c_url.path) print_path(*c_url.path, out);
    if (c_url.service) print_service(*c_url.service, out);
    if (c_url.instance)
        out.add("/I")
            .add(c_url.instance->host)
            .add('.')
            .add(std::uint64_t{c_url.instance->ordinal});
    print_query(c_url.query, out);
    if (c_url.view)
        out.add('#').add(*c_url.view == CapacityView::total ? kViewTotal : kViewAvailable);
    return out.take();
}

}  // namespace penstock::identity
