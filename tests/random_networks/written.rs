//! Written by `UPDATE_NETS=1 cargo test --test random_networks`.
#![allow(missing_docs)]

use castnet::prelude::*;

network! {
    pub net Net0 {
        layer0: Linear(7);
        layer4: Linear(8);

        pub train fn loss(x: f32[N, 11], target: u8[N]) -> f32 {
            let v0 = x;
            let v126 = target;
            let v5 = layer0(v0);
            let v15 = layer4(v5);
            let v18 = mul(v15, 0.5);
            let v19 = sin(v18);
            let v21 = tanh(v19);
            let v24 = mul(v21, 0.5);
            let v25 = sin(v24);
            let v37 = sub(v25, v25);
            let v40 = mul(v37, 0.5);
            let v41 = sin(v40);
            let v44 = mul(v41, 0.5);
            let v45 = sin(v44);
            let v55 = sigmoid(v45);
            let v58 = mul(v55, 0.5);
            let v59 = sin(v58);
            let v90 = dropout(v59, 0.25);
            let v96 = clamp(v90, -0.6, 0.7);
            let v99 = mul(v96, 0.5);
            let v100 = sin(v99);
            let v119 = mean(v100, 1, true);
            let v121 = sub(v100, v119);
            let v124 = mul(v121, 0.5);
            let v125 = sin(v124);
            let v149 = cross_entropy(v125, v126);
            v149
        }
    }
}

network! {
    pub net Net2 {
        layer0: Linear(8);
        layer2: Linear(8);

        pub train fn loss(x: f32[N, 1], target: f32[N, 1, 1, 8]) -> f32 {
            let v0 = x;
            let v83 = target;
            let v5 = layer0(v0);
            let v6 = cos(v5);
            let v9 = mul(v6, 0.5);
            let v10 = sin(v9);
            let v20 = unsqueeze(v5, 1);
            let v22 = amax(v10, 1, true);
            let v24 = sub(v10, v22);
            let v27 = mul(v24, 0.5);
            let v28 = sin(v27);
            let v29 = exp(v20);
            let v32 = mul(v29, 0.5);
            let v33 = sin(v32);
            let v43 = dropout(v28, 0.25);
            let v48 = add(v33, v20);
            let v51 = mul(v48, 0.5);
            let v52 = sin(v51);
            let v61 = unsqueeze(v52, 1);
            let v68 = layer2(v61);
            let v69 = erf(v68);
            let v72 = mul(v69, 0.5);
            let v73 = sin(v72);
            let v74 = square(v73);
            let v77 = add(v74, 0.5);
            let v78 = rsqrt(v77);
            let v81 = mul(v78, 0.5);
            let v82 = sin(v81);
            let v88 = mse_loss(v82, v83);
            v88
        }
    }
}

network! {
    pub net Net10 {
        layer0: Linear(8);
        layer1: Linear(4);
        layer4: Dropout(0.3);
        layer5: Linear(37);

        pub train fn loss(x: f32[N, 37], target: f32[N, 4]) -> f32 {
            let v0 = x;
            let v132 = target;
            let v5 = layer0(v0);
            let v6 = softmax(v0, 1);
            let v7 = square(v5);
            let v10 = add(v7, 0.5);
            let v13 = reciprocal(v10);
            let v16 = mul(v13, 0.5);
            let v17 = sin(v16);
            let v23 = layer5(v17);
            let v26 = mul(v23, 0.5);
            let v27 = sin(v26);
            let v40 = neg(v27);
            let v43 = mul(v40, 0.5);
            let v44 = sin(v43);
            let v46 = softmax(v44, 1);
            let v48 = square(v46);
            let v51 = add(v48, 0.5);
            let v52 = sqrt(v51);
            let v55 = mul(v52, 0.5);
            let v56 = sin(v55);
            let v58 = silu(v56);
            let v61 = mul(v58, 0.5);
            let v62 = sin(v61);
            let v63 = sub(v62, v6);
            let v66 = mul(v63, 0.5);
            let v67 = sin(v66);
            let v85 = layer4(v67);
            let v110 = dropout(v85, 0.25);
            let v111 = tanh(v85);
            let v114 = mul(v111, 0.5);
            let v115 = sin(v114);
            let v125 = layer1(v115);
            let v128 = mul(v125, 0.5);
            let v129 = sin(v128);
            let v130 = softmax(v129, 1);
            let v131 = log_softmax(v130, 0);
            let v137 = mse_loss(v131, v132);
            v137
        }
    }
}

network! {
    pub net Net15 {
        layer0: Linear(11);
        layer3: Linear(7);

        pub train fn loss(x: f32[N, 37], target: u8[N]) -> f32 {
            let v0 = x;
            let v105 = target;
            let v5 = layer0(v0);
            let v6 = square(v0);
            let v9 = mul(v6, 0.5);
            let v10 = sin(v9);
            let v20 = dropout(v10, 0.25);
            let v21 = abs(v5);
            let v24 = mul(v21, 0.5);
            let v25 = sin(v24);
            let v26 = mul(v25, v25);
            let v29 = mul(v26, 0.5);
            let v30 = sin(v29);
            let v36 = add(v30, v5);
            let v39 = mul(v36, 0.5);
            let v40 = sin(v39);
            let v41 = t(v40);
            let v42 = matmul(v41, v40);
            let v45 = mul(v42, 0.05);
            let v46 = tanh(v45);
            let v47 = matmul(v40, v46);
            let v48 = add(v47, v5);
            let v51 = mul(v48, 0.5);
            let v52 = sin(v51);
            let v62 = dropout(v47, 0.25);
            let v63 = ge(v52, v62);
            let v66 = where_(v63, v52, 0.1);
            let v67 = square(v66);
            let v70 = add(v67, 0.5);
            let v73 = reciprocal(v70);
            let v76 = mul(v73, 0.5);
            let v77 = sin(v76);
            let v87 = dropout(v66, 0.25);
            let v89 = sum(v77, 1, true);
            let v91 = sub(v77, v89);
            let v94 = mul(v91, 0.5);
            let v95 = sin(v94);
            let v100 = layer3(v95);
            let v103 = mul(v100, 0.5);
            let v104 = sin(v103);
            let v128 = cross_entropy(v104, v105);
            v128
        }
    }
}

network! {
    pub net Net17 {
        layer0: Linear(1);
        layer1: Linear(5);
        layer5: Linear(4);

        pub train fn loss(x: f32[N, 1]) -> f32 {
            let v0 = x;
            let v5 = layer0(v0);
            let v6 = neg(v5);
            let v9 = mul(v6, 0.5);
            let v10 = sin(v9);
            let v11 = tanh(v0);
            let v14 = mul(v11, 0.5);
            let v15 = sin(v14);
            let v21 = clamp(v10, -0.6, 0.7);
            let v24 = mul(v21, 0.5);
            let v25 = sin(v24);
            let v26 = square(v15);
            let v29 = add(v26, 0.5);
            let v32 = reciprocal(v29);
            let v35 = mul(v32, 0.5);
            let v36 = sin(v35);
            let v37 = tanh(v36);
            let v40 = mul(v37, 0.5);
            let v41 = sin(v40);
            let v44 = relu(v25);
            let v47 = mul(v44, 0.5);
            let v48 = sin(v47);
            let v49 = neg(v36);
            let v52 = mul(v49, 0.5);
            let v53 = sin(v52);
            let v59 = maximum(v41, v53);
            let v62 = mul(v59, 0.5);
            let v63 = sin(v62);
            let v64 = add(v48, v63);
            let v67 = mul(v64, 0.5);
            let v68 = sin(v67);
            let v69 = neg(v68);
            let v72 = mul(v69, 0.5);
            let v73 = sin(v72);
            let v78 = layer1(v63);
            let v81 = mul(v78, 0.5);
            let v82 = sin(v81);
            let v85 = add(v82, v5);
            let v88 = mul(v85, 0.5);
            let v89 = sin(v88);
            let v91 = lt(v89, v5);
            let v94 = where_(v91, v89, 0.1);
            let v115 = sub(v94, v73);
            let v118 = mul(v115, 0.5);
            let v119 = sin(v118);
            let v145 = layer5(v119);
            let v148 = mul(v145, 0.5);
            let v149 = sin(v148);
            let v150 = sin(v149);
            let v153 = mean(v150);
            v153
        }
    }
}

network! {
    pub net Net18 {
        layer0: Linear(4);

        pub train fn loss(x: f32[2*N + 1, 2, 7, 8]) -> f32 {
            let v0 = x;
            let v7 = layer0(v0);
            let v38 = mean(v7, 1, true);
            let v40 = sub(v7, v38);
            let v43 = mul(v40, 0.5);
            let v44 = sin(v43);
            let v45 = cos(v44);
            let v48 = mul(v45, 0.5);
            let v49 = sin(v48);
            let v50 = sin(v49);
            let v53 = mean(v50);
            v53
        }
    }
}

network! {
    pub net Net19 {
        layer0: Linear(11);
        layer1: Linear(37);
        layer5: Linear(37);

        pub train fn loss(x: f32[N, 2], target: u8[N]) -> f32 {
            let v0 = x;
            let v132 = target;
            let v5 = layer0(v0);
            let v11 = erf(v5);
            let v14 = mul(v11, 0.5);
            let v15 = sin(v14);
            let v28 = amax(v15, 0, true);
            let v30 = sub(v15, v28);
            let v33 = mul(v30, 0.5);
            let v34 = sin(v33);
            let v47 = layer5(v34);
            let v50 = mul(v47, 0.5);
            let v51 = sin(v50);
            let v57 = t(v51);
            let v58 = matmul(v57, v51);
            let v61 = mul(v58, 0.05);
            let v62 = tanh(v61);
            let v63 = matmul(v51, v62);
            let v71 = abs(v63);
            let v74 = mul(v71, 0.5);
            let v75 = sin(v74);
            let v76 = tanh(v75);
            let v79 = mul(v76, 0.5);
            let v80 = sin(v79);
            let v87 = silu(v80);
            let v90 = mul(v87, 0.5);
            let v91 = sin(v90);
            let v112 = layer1(v91);
            let v115 = mul(v112, 0.5);
            let v116 = sin(v115);
            let v127 = erf(v116);
            let v130 = mul(v127, 0.5);
            let v131 = sin(v130);
            let v155 = cross_entropy(v131, v132);
            v155
        }
    }
}

network! {
    pub net Net24 {
        layer0: Linear(1);
        layer2: Linear(1);
        layer3: Dropout(0.3);

        pub train fn loss(x: f32[N, 3, 5, 6]) -> f32 {
            let v0 = x;
            let v7 = layer0(v0);
            let v13 = max_pool2d(v7, 3, 1, 1);
            let v20 = layer2(v13);
            let v37 = permute(v20, [0, 3, 1, 2]);
            let v38 = cos(v37);
            let v41 = mul(v38, 0.5);
            let v42 = sin(v41);
            let v43 = max_pool2d(v42, 3, 2, 1);
            let v54 = layer3(v37);
            let v55 = flatten(v43, 1);
            let v61 = clamp(v54, -0.6, 0.7);
            let v64 = mul(v61, 0.5);
            let v65 = sin(v64);
            let v75 = dropout(v55, 0.25);
            let v91 = erf(v65);
            let v94 = mul(v91, 0.5);
            let v95 = sin(v94);
            let v96 = sin(v95);
            let v99 = mean(v96);
            v99
        }
    }
}

network! {
    pub net Net26 {
        layer1: Conv2d(17, 2, 2, 0, 2);
        layer4: Conv2d(1, 1, 2, 1, 2);
        layer5: Linear(7);

        pub train fn loss(x: f32[N, 3, 7, 6]) -> f32 {
            let v0 = x;
            let v18 = layer4(v0);
            let v21 = mul(v18, 0.5);
            let v22 = sin(v21);
            let v26 = silu(v22);
            let v29 = mul(v26, 0.5);
            let v30 = sin(v29);
            let v38 = layer5(v30);
            let v44 = layer1(v38);
            let v47 = mul(v44, 0.5);
            let v48 = sin(v47);
            let v49 = sin(v48);
            let v52 = mean(v49);
            v52
        }
    }
}

network! {
    pub net Net37 {
        layer0: Conv2d(3, 2, 1, 1, 2);
        layer5: Linear(5);

        pub train fn loss(x: f32[N, 5, 7, 4], target: u8[N, 7, 5]) -> f32 {
            let v0 = x;
            let v36 = target;
            let v6 = layer0(v0);
            let v13 = layer5(v6);
            let v31 = tanh(v13);
            let v34 = mul(v31, 0.5);
            let v35 = sin(v34);
            let v59 = cross_entropy(v35, v36);
            v59
        }
    }
}
