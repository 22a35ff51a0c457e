// In place of crypto_mlkem.cpp where OpenSSL is older than 3.5: there is no ML-KEM.
#include "controlplane/ike/crypto_groups.hpp"

namespace nave::ike {

const GroupKind* module_lattice_kems() { return nullptr; }

}  // namespace nave::ike
