// The lines as Wireshark 4 reads them.
#include "controlplane/ike/key_log.hpp"

#include "common/esp_algorithm.hpp"

#include <fmt/format.h>

namespace nave::ike {
namespace {

/// Takes the text over and wipes it.
Secret sealed(std::string text) {
    Secret line{as_bytes(text)};
    wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    return line;
}

/// The exception: everywhere else a key cannot be printed.
std::string hex(ByteView key) { return fmt::format("{:02x}", fmt::join(key, "")); }

std::string_view wireshark_name(IkeEncryption encryption) {
    switch (encryption) {
    case IkeEncryption::aes_gcm_128: return "AES-GCM-128 with 16 octet ICV [RFC5282]";
    case IkeEncryption::aes_gcm_256: return "AES-GCM-256 with 16 octet ICV [RFC5282]";
    case IkeEncryption::chacha20_poly1305: return {};  // Wireshark has none
    case IkeEncryption::aes_cbc_128: return "AES-CBC-128 [RFC3602]";
    case IkeEncryption::aes_cbc_256: return "AES-CBC-256 [RFC3602]";
    }
    return "";
}

std::string_view wireshark_name(Integrity integrity) {
    switch (integrity) {
    case Integrity::none:            return "NONE [RFC4306]";
    case Integrity::hmac_sha256_128: return "HMAC_SHA2_256_128 [RFC4868]";
    case Integrity::hmac_sha384_192: return "HMAC_SHA2_384_192 [RFC4868]";
    case Integrity::hmac_sha512_256: return "HMAC_SHA2_512_256 [RFC4868]";
    }
    return "";
}

struct EspNames {
    std::string_view encryption, authentication;
    bool known = true;  // to Wireshark
};

EspNames wireshark_names(EspAlgorithm algorithm) {
    constexpr std::string_view kGcm = "AES-GCM with 16 octet ICV [RFC4106]", kCbc = "AES-CBC [RFC3602]";
    switch (algorithm) {
    case EspAlgorithm::aes_gcm_128:
    case EspAlgorithm::aes_gcm_256:        return {kGcm, "NULL"};
    case EspAlgorithm::chacha20_poly1305:  return {"ChaCha20-Poly1305 [RFC7634]", "NULL", false};
    case EspAlgorithm::aes_gmac_128:
    case EspAlgorithm::aes_gmac_256:       return {"AES-GMAC [RFC4543]", "NULL", false};
    case EspAlgorithm::aes_cbc_128_sha256:
    case EspAlgorithm::aes_cbc_256_sha256: return {kCbc, "HMAC-SHA-256-128 [RFC4868]"};
    case EspAlgorithm::aes_cbc_128_sha384:
    case EspAlgorithm::aes_cbc_256_sha384: return {kCbc, "HMAC-SHA-384-192 [RFC4868]"};
    case EspAlgorithm::aes_cbc_128_sha512:
    case EspAlgorithm::aes_cbc_256_sha512: return {kCbc, "HMAC-SHA-512-256 [RFC4868]"};
    case EspAlgorithm::null_sha256:        return {"NULL", "HMAC-SHA-256-128 [RFC4868]"};
    case EspAlgorithm::null_sha384:        return {"NULL", "HMAC-SHA-384-192 [RFC4868]"};
    case EspAlgorithm::null_sha512:        return {"NULL", "HMAC-SHA-512-256 [RFC4868]"};
    }
    return {};
}

}  // namespace

Secret wireshark_line(const IkeSa& ike) {
    const ProtectionKeys &initiator = ike.keys.from_initiator, &responder = ike.keys.from_responder;
    const std::string_view encryption = wireshark_name(initiator.encryption);
    const bool known = !encryption.empty();
    return sealed(fmt::format("{}{:016x},{:016x},{},{},\"{}\",{},{},\"{}\"", known ? "" : "# ", ike.initiator_spi, ike.responder_spi, hex(initiator.encryption_key.view()),
                              hex(responder.encryption_key.view()), known ? encryption : "ChaCha20-Poly1305 [RFC7634]", hex(initiator.integrity_key.view()),
                              hex(responder.integrity_key.view()), wireshark_name(initiator.integrity)));
}

Secret wireshark_line(const EspKeys& keys) {
    const EspNames names = wireshark_names(keys.algorithm);
    const EspSizes sizes = sizes_of(keys.algorithm);
    const ByteView cipher = keys.keymat.first(sizes.keymat() - sizes.integrity_key), authentication = keys.keymat.subspan(cipher.size());
    const auto field = [](ByteView key) { return key.empty() ? std::string{} : "0x" + hex(key); };
    return sealed(fmt::format("{}\"{}\",\"{}\",\"{}\",\"0x{:08x}\",\"{}\",\"{}\",\"{}\",\"{}\"", names.known ? "" : "# ", keys.source.is_v4() ? "IPv4" : "IPv6",
                              keys.source.to_string(), keys.destination.to_string(), keys.spi.value, names.encryption, field(cipher), names.authentication,
                              field(authentication)));
}

void log_keys(Context& context, const IkeSa& ike) {
    if (context.settings.key_log) context.out.push_back(KeyLog{KeyLog::Table::ike, wireshark_line(ike)});
}

void log_keys(Context& context, const Association& association, const ChildSa& child, const EspKeymat& inbound, const EspKeymat& outbound) {
    if (!context.settings.key_log) return;
    const IpAddress ours = association.local.address.value, theirs = association.remote.address.value;
    const EspAlgorithm algorithm = child.suite.algorithm;
    context.out.push_back(KeyLog{KeyLog::Table::esp, wireshark_line(EspKeys{theirs, ours, child.inbound, algorithm, inbound.view()})});
    context.out.push_back(KeyLog{KeyLog::Table::esp, wireshark_line(EspKeys{ours, theirs, child.outbound, algorithm, outbound.view()})});
}

}  // namespace nave::ike
