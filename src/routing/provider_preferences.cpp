// SPDX-License-Identifier: Apache-2.0
#include "routing/provider_preferences.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "model/endpoint.h"
#include "routing/json_scanner.h"

namespace penstock::routing {
namespace {

using Kind = JsonScanner::Kind;
using String = JsonScanner::String;

constexpr std::size_t kNameBytesMax = 128;
constexpr double kSecondsMax = 3600;
constexpr double kTokensPerSecondMax = 1e6;

std::unexpected<Error> wrong(std::string_view member, std::string message) {
    std::string field = "provider";
    if (!member.empty()) field.append(".").append(member);
    return fail_field(ErrorCode::invalid_argument, std::move(field), std::move(message));
}

class PreferencesReader {
  public:
    explicit PreferencesReader(std::string_view json) : scan_(json) {}

    Result<ProviderPreferences> run() {
        if (scan_.peek() != Kind::object) return wrong("", "expected an object");
        scan_.enter_object();
        String key;
        while (scan_.next_member(key)) TRY(take(scan_.decode(key)));
        if (!scan_.finish()) return wrong("", "not valid JSON: " + scan_.problem());
        return std::move(out_);
    }

  private:
    Result<void> take(const std::string& name) {
        if (scan_.peek() == Kind::null) {
            scan_.skip();
            return {};
        }
        if (name == "order") return take_names(name, out_.order);
        if (name == "only") return take_names(name, out_.only);
        if (name == "ignore") return take_names(name, out_.ignore);
        if (name == "regions") return take_names(name, out_.regions);
        if (name == "quantizations") return take_quantizations();
        if (name == "allow_fallbacks") return take_flag(name, out_.allow_fallbacks);
        if (name == "require_parameters") return take_flag(name, out_.require_parameters);
        if (name == "zdr") return take_flag(name, out_.zero_retention);
        if (name == "data_collection") return take_data_collection();
        if (name == "sort") return take_sort();
        if (name == "max_price") return take_prices();
        if (name == "preferred_max_latency") {
            const double seconds = TRY(take_number(name, kSecondsMax));
            out_.first_token_wished = Duration(std::llround(seconds * 1e6));
            return {};
        }
        if (name == "preferred_min_throughput") {
            out_.tokens_per_second_wished = TRY(take_number(name, kTokensPerSecondMax));
            return {};
        }
        return wrong(
            name,
            "not known here; there are order, only, ignore, regions, quantizations, "
            "allow_fallbacks, require_parameters, data_collection, zdr, sort, max_price, "
            "preferred_max_latency, preferred_min_throughput"
        );
    }

    Result<void> take_names(const std::string& member, std::vector<std::string>& names) {
        if (scan_.peek() != Kind::array) return wrong(member, "expected an array of names");
        scan_.enter_array();
        String value;
        while (scan_.next_element()) {
            if (scan_.peek() != Kind::string) return wrong(member, "expected an array of names");
            if (!scan_.read_string(value)) break;
            if (names.size() == ProviderPreferences::kNamesMax)
                return wrong(
                    member, "more than " + std::to_string(ProviderPreferences::kNamesMax) + " names"
                );
            names.push_back(scan_.decode(value));
            if (names.back().empty() || names.back().size() > kNameBytesMax)
                return wrong(member, "a name has 1 to " + std::to_string(kNameBytesMax) + " bytes");
        }
        return {};
    }

    Result<void> take_quantizations() {
        TRY(take_names("quantizations", out_.quantizations));
        for (const std::string& name : out_.quantizations)
            if (std::ranges::find(kQuantizations, name) == kQuantizations.end())
                return wrong(
                    "quantizations", "'" + name +
                                         "' is not one of int4, int8, fp4, fp6, fp8, fp16, bf16, "
                                         "fp32, unknown"
                );
        return {};
    }

    Result<void> take_flag(const std::string& member, bool& flag) {
        const std::optional<bool> value = scan_.read_boolean();
        if (!value) return wrong(member, "expected true or false");
        flag = *value;
        return {};
    }

    Result<void> take_data_collection() {
        String value;
        const bool text = scan_.peek() == Kind::string && scan_.read_string(value);
        const std::string word = text ? scan_.decode(value) : std::string();
        if (word != "allow" && word != "deny")
            return wrong("data_collection", "expected \"allow\" or \"deny\"");
        out_.deny_data_collection = word == "deny";
        return {};
    }

    Result<void> take_sort() {
        String value;
        const bool text = scan_.peek() == Kind::string && scan_.read_string(value);
        const std::string name = text ? scan_.decode(value) : std::string();
        if (name == "price")
            out_.sort = ProviderPreferences::Sort::price;
        else if (name == "throughput")
            out_.sort = ProviderPreferences::Sort::throughput;
        else if (name == "latency")
            out_.sort = ProviderPreferences::Sort::latency;
        else
            return wrong("sort", "expected \"price\", \"throughput\" or \"latency\"");
        return {};
    }

    Result<void> take_prices() {
        if (scan_.peek() != Kind::object)
            return wrong("max_price", "expected {\"prompt\": …, \"completion\": …}");
        scan_.enter_object();
        String key;
        while (scan_.next_member(key)) {
            const std::string name = scan_.decode(key);
            if (name == "prompt")
                out_.input_price_max = TRY(take_price("max_price.prompt"));
            else if (name == "completion")
                out_.output_price_max = TRY(take_price("max_price.completion"));
            else
                return wrong(
                    "max_price." + name, "not known here; there are prompt and completion"
                );
        }
        return {};
    }

    // A number, or the same as a string: yuan per million tokens.
    Result<Price> take_price(const std::string& member) {
        std::string text;
        if (scan_.peek() == Kind::string) {
            String value;
            if (scan_.read_string(value)) text = scan_.decode(value);
        } else if (scan_.peek() == Kind::number) {
            Span place;
            if (scan_.skip(&place)) text = scan_.raw(place);
        }
        Result<Price> price = parse_price(text);
        if (!price) return wrong(member, price.error().message);
        return price;
    }

    Result<double> take_number(const std::string& member, double max) {
        Span place;
        double value = 0;
        if (scan_.peek() == Kind::number && scan_.skip(&place)) {
            const std::string_view text = scan_.raw(place);
            const auto [end, error] =
                std::from_chars(text.data(), text.data() + text.size(), value);
            if (error == std::errc() && end == text.data() + text.size() && value > 0 &&
                value <= max)
                return value;
        }
        return wrong(
            member,
            "expected a number above 0, at most " + std::to_string(static_cast<int64_t>(max))
        );
    }

    JsonScanner scan_;
    ProviderPreferences out_;
};

}  // namespace

Result<ProviderPreferences> parse_provider_preferences(std::string_view json) {
    return PreferencesReader(json).run();
}

}  // namespace penstock::routing
