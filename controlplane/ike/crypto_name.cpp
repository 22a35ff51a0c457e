// Names between attributes and DER.
#include "controlplane/ike/crypto_name.hpp"

#include "controlplane/ike/crypto_pkix.hpp"

#include <algorithm>

namespace nave::ike {
namespace {

constexpr int kEntriesMax = 32;
constexpr std::size_t kNameBytesMax = 4096, kTypeBytesMax = 64;

std::string type_text(const ASN1_OBJECT* object) {
    const int id = OBJ_obj2nid(object);
    if (id != NID_undef) return OBJ_nid2sn(id);
    char dotted[128];
    const int size = OBJ_obj2txt(dotted, sizeof dotted, object, 1);
    return size > 0 && size < static_cast<int>(sizeof dotted) ? std::string{dotted} : std::string{};
}

std::optional<NameAttribute> attribute_of(const X509_NAME_ENTRY* entry) {
    unsigned char* utf8 = nullptr;
    const int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
    if (size < 0) return std::nullopt;
    NameAttribute attribute{.type = type_text(X509_NAME_ENTRY_get_object(entry)), .value = {reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size)}};
    OPENSSL_free(utf8);
    if (attribute.type.empty()) return std::nullopt;
    return attribute;
}

}  // namespace

std::optional<std::string> canonical_attribute_type(std::string_view text) {
    if (text.empty() || text.size() > kTypeBytesMax || text.find('\0') != std::string_view::npos) return std::nullopt;
    const pkix::QuietErrors quiet;
    std::string upper{text};
    std::ranges::transform(upper, upper.begin(), [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    for (const std::string& name : {std::string{text}, upper}) {
        const pkix::Owned<ASN1_OBJECT, ASN1_OBJECT_free> object{OBJ_txt2obj(name.c_str(), 0)};
        if (object) return type_text(object.get());
    }
    return std::nullopt;
}

std::optional<DistinguishedName> decode_name(ByteView der) {
    if (der.size() > kNameBytesMax) return std::nullopt;
    const pkix::QuietErrors quiet;
    const auto name = pkix::from_der<pkix::OwnedName>(der, d2i_X509_NAME);
    const int count = name ? X509_NAME_entry_count(name.get()) : 0;
    if (!name || count > kEntriesMax) return std::nullopt;
    DistinguishedName result;
    int set_before = -1;
    for (int i = 0; i < count; ++i) {
        const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name.get(), i);
        auto attribute = attribute_of(entry);
        if (!attribute) return std::nullopt;
        attribute->joined = X509_NAME_ENTRY_set(entry) == set_before;
        set_before = X509_NAME_ENTRY_set(entry);
        result.push_back(std::move(*attribute));
    }
    return result;
}

std::optional<Bytes> encode_name(const DistinguishedName& name) {
    const pkix::QuietErrors quiet;
    const pkix::OwnedName encoded{X509_NAME_new()};
    pkix::require(encoded != nullptr, "make a name");
    for (const NameAttribute& attribute : name) {
        const auto* value = reinterpret_cast<const unsigned char*>(attribute.value.data());
        const bool added = !attribute.any && X509_NAME_add_entry_by_txt(encoded.get(), attribute.type.c_str(), MBSTRING_UTF8, value,
                                                                         static_cast<int>(attribute.value.size()), -1, attribute.joined ? -1 : 0) == 1;
        if (!added) return std::nullopt;
    }
    return pkix::der_of(encoded.get(), i2d_X509_NAME);
}

}  // namespace nave::ike
