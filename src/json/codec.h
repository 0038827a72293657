// SPDX-License-Identifier: Apache-2.0
#pragma once

// The codec itself: include it in .cpp files only (it costs about a second of compile time), and
// say JSON_INSTANTIATE(Type) there. A struct takes part when it is described:
//     struct Need { std::string accelerator; std::int64_t count = 0; };
//     BOOST_DESCRIBE_STRUCT(Need, (), (accelerator, count))
// Three switches, found by name:
//     static constexpr bool kJsonDefaults = true;     in the struct: absent fields keep their
//     defaults constexpr bool json_upper_case(Enum) {…true;}   beside an enum: its names are
//     written in capitals static constexpr KeyName kJsonKeys[] = {{"api_version", "apiVersion"}};
//     in the struct
// A trailing underscore of a member or enumerator is not part of its JSON name (`default_`).

#include <boost/describe.hpp>
#include <boost/json.hpp>
#include <boost/mp11.hpp>
#include <type_traits>
#include <utility>

#include "json/answer.h"
#include "json/json.h"
#include "json/key_name.h"
#include "json/types_codec.h"

namespace penstock::json {

template <class T>
constexpr std::string_view json_key(std::string_view member) {
    if constexpr (requires { T::kJsonKeys; })
        for (const KeyName& name : T::kJsonKeys)
            if (name.member == member) return name.key;
    return member.ends_with('_') ? member.substr(0, member.size() - 1) : member;
}

template <class T>
concept DescribedStruct =
    std::is_class_v<T> && boost::describe::has_describe_members<T>::value && !std::is_union_v<T>;
template <class T>
concept DescribedEnum = std::is_enum_v<T> && boost::describe::has_describe_enumerators<T>::value;
// The unqualified name of T ("TaskSpec"), from the compiler's own text of this function.
template <class T>
constexpr std::string_view type_name() {
    std::string_view text = __PRETTY_FUNCTION__;
    text.remove_prefix(text.find("T = ") + 4);
    text = text.substr(0, text.find_first_of(";]"));
    return text.substr(text.rfind("::") == std::string_view::npos ? 0 : text.rfind("::") + 2);
}

template <DescribedEnum T>
struct Codec<T> {
    static std::string name_of(std::string_view enumerator) {
        std::string name(
            enumerator.ends_with('_') ? enumerator.substr(0, enumerator.size() - 1) : enumerator
        );
        if constexpr (requires { json_upper_case(T{}); }) name = upper_case(name);
        return name;
    }
    static std::vector<std::string> names() {
        std::vector<std::string> all;
        boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>([&](auto e) {
            all.push_back(name_of(e.name));
        });
        return all;
    }
    static std::string name(T value) {
        std::string found;
        boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>([&](auto e) {
            if (e.value == value) found = name_of(e.name);
        });
        return found;
    }
    static Value encode(T value) { return boost::json::string(name(value)); }
    static void print(T value, std::string& out) { print_string(name(value), out); }
    static void decode(const Value& value, T& out, const Path* path, Problems& problems) {
        const auto* text = value.if_string();
        if (text == nullptr) return problems.add(path, wrong_kind("string", value));
        bool found = false;
        boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>([&](auto e) {
            if (name_of(e.name) != std::string_view(*text)) return;
            out = e.value;
            found = true;
        });
        if (found) return;
        const std::vector<std::string> all = names();
        std::string list;
        for (const std::string& one : all) list += (list.empty() ? "" : ", ") + one;
        problems.add(path, "'" + std::string(*text) + "' is not one of " + list);
    }
    static Value schema(Object&) {
        Array list;
        for (const std::string& one : names()) list.push_back(boost::json::string(one));
        return {{"type", "string"}, {"enum", std::move(list)}};
    }
};

template <DescribedStruct T>
struct Codec<T> {
    using Members = boost::describe::describe_members<
        T, boost::describe::mod_public | boost::describe::mod_inherited>;
    static constexpr bool kDefaults = requires { T::kJsonDefaults; };

    static Value encode(const T& value) {
        Object object;
        boost::mp11::mp_for_each<Members>([&](auto member) {
            const auto& field = value.*member.pointer;
            using Field = std::remove_cvref_t<decltype(field)>;
            if constexpr (IsOptional<Field>::value) {
                if (!field) return;
            }
            object.emplace(json_key<T>(member.name), Codec<Field>::encode(field));
        });
        return object;
    }
    static void print(const T& value, std::string& out) {
        char before = '{';
        boost::mp11::mp_for_each<Members>([&](auto member) {
            const auto& field = value.*member.pointer;
            using Field = std::remove_cvref_t<decltype(field)>;
            if constexpr (IsOptional<Field>::value) {
                if (!field) return;
            }
            out += before;
            before = ',';
            out += '"';
            out += json_key<T>(member.name);  // an identifier: nothing to escape
            out += "\":";
            print_to(field, out);
        });
        if (before == '{') out += '{';
        out += '}';
    }
    static void decode(const Value& value, T& out, const Path* path, Problems& problems) {
        const Object* object = value.if_object();
        if (object == nullptr) return problems.add(path, wrong_kind("object", value));
        std::size_t used = 0;
        boost::mp11::mp_for_each<Members>([&](auto member) {
            auto& field = out.*member.pointer;
            using Field = std::remove_cvref_t<decltype(field)>;
            const std::string_view key = json_key<T>(member.name);
            const Path here{path, key};
            if (const Value* found = object->if_contains(key)) {
                ++used;
                Codec<Field>::decode(*found, field, &here, problems);
            } else if constexpr (!kDefaults && !IsOptional<Field>::value) {
                problems.add(&here, "is missing");
            }
        });
        if (used < object->size() && !problems.ignores_unknown_fields())
            report_unknown(*object, path, problems);
    }
    static void report_unknown(const Object& object, const Path* path, Problems& problems) {
        std::vector<std::string_view> known;
        boost::mp11::mp_for_each<Members>([&](auto member) {
            known.push_back(json_key<T>(member.name));
        });
        for (const auto& [key, unused] : object) {
            if (std::ranges::find(known, std::string_view(key)) != known.end()) continue;
            const Path here{path, key};
            problems.add(&here, "unknown field" + did_you_mean(key, known));
        }
    }
    static Value schema(Object& definitions) {
        const std::string_view name = type_name<T>();
        if (!definitions.contains(name)) {
            definitions[name] = nullptr;  // placed first, so that a type may contain itself
            Object properties;
            Array required;
            boost::mp11::mp_for_each<Members>([&](auto member) {
                using Field = std::remove_cvref_t<decltype(std::declval<T&>().*member.pointer)>;
                const std::string_view key = json_key<T>(member.name);
                properties[key] = Codec<Field>::schema(definitions);
                if constexpr (!kDefaults && !IsOptional<Field>::value)
                    required.push_back(boost::json::string(key));
            });
            Object schema{
                {"type", "object"},
                {"properties", std::move(properties)},
                {"additionalProperties", false}
            };
            if (!required.empty()) schema["required"] = std::move(required);
            definitions[name] = std::move(schema);
        }
        return {{"$ref", "#/components/schemas/" + std::string(name)}};
    }
};

template <class T>
Value encode(const T& value) {
    return Codec<T>::encode(value);
}

template <class T>
std::expected<T, std::vector<Error>> decode_all(const Value& value) {
    Problems problems;
    T out{};
    Codec<T>::decode(value, out, nullptr, problems);
    if (!problems.empty()) return std::unexpected(problems.take());
    return out;
}

template <class T>
Result<T> decode(const Value& value) {
    std::expected<T, std::vector<Error>> result = decode_all<T>(value);
    if (!result) return std::unexpected(std::move(result.error().front()));
    return *std::move(result);
}

template <class T>
std::string print(const T& value) {
    std::string out;
    print_to(value, out);
    return out;
}

template <class T>
Result<T> parse(std::string_view text) {
    return decode<T>(TRY(parse_value(text)));
}

template <class T>
Result<T> parse_answer(std::string_view text) {
    const Value value = TRY(parse_value(text));
    Problems problems;
    problems.ignore_unknown_fields();
    T out{};
    Codec<T>::decode(value, out, nullptr, problems);
    if (!problems.empty()) return std::unexpected(std::move(problems.take().front()));
    return out;
}

template <class T>
std::expected<T, std::vector<Error>> parse_all(std::string_view text) {
    Result<Value> value = parse_value(text);
    if (!value) return std::unexpected(std::vector{std::move(value.error())});
    return decode_all<T>(*value);
}

template <class T>
Value schema(Object& definitions) {
    return Codec<T>::schema(definitions);
}

}  // namespace penstock::json

#define JSON_INSTANTIATE(Type)                                                                   \
    template ::boost::json::value penstock::json::encode<Type>(const Type&);                     \
    template ::penstock::Result<Type> penstock::json::decode<Type>(const ::boost::json::value&); \
    template ::std::expected<Type, ::std::vector<::penstock::Error>>                             \
    penstock::json::decode_all<Type>(const ::boost::json::value&);                               \
    template ::std::string penstock::json::print<Type>(const Type&);                             \
    template ::penstock::Result<Type> penstock::json::parse<Type>(::std::string_view);           \
    template ::penstock::Result<Type> penstock::json::parse_answer<Type>(::std::string_view);    \
    template ::std::expected<Type, ::std::vector<::penstock::Error>>                             \
        penstock::json::parse_all<Type>(::std::string_view);                                     \
    template ::boost::json::value penstock::json::schema<Type>(::boost::json::object&)
